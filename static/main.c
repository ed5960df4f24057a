/* furiosactl as one static file: an interpreter that reads nothing of the host but what its program opens. */
#include <Python.h>
#include <signal.h>

#include "frozen_table.h"

static int fail(PyStatus status)
{
    if (PyStatus_IsExit(status))
        return status.exitcode;
    fprintf(stderr, "furiosactl: the interpreter does not start: %s\n", status.err_msg ? status.err_msg : "unknown");
    return 1;
}

int main(int argc, char **argv)
{
    /* As the interpreter does: a reader that has gone, a file that may not grow are errors of write(2), exit code 1. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    setenv("TZ", ":", 1); /* UTC; else the interpreter opens at its start the file that TZ names, or /etc/localtime */

    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.utf8_mode = 1;
    preconfig.configure_locale = 0;
    PyStatus status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status))
        return fail(status);

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 0;
    config.pathconfig_warnings = 0;
    config.parse_argv = 0;
    config.module_search_paths_set = 1;
    /* Without these the interpreter would look for itself: along PATH, for pyvenv.cfg, for lib/python3.11. */
    status = PyConfig_SetString(&config, &config.program_name, L"furiosactl");
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.executable, L"/furiosactl");
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.home, L"/nonexistent");
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesArgv(&config, argc, argv);
    PyImport_FrozenModules = frozen_table;
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        return fail(status);
    int ran = PyImport_ImportFrozenModule("__main__");
    if (ran < 0)
        PyErr_Print(); /* SystemExit ends the process here, with its code; whatever else comes back is a failure */
    return Py_FinalizeEx() < 0 || ran != 1;
}
