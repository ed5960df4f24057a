"""What libraries say through `logging`, written as the agent's log lines."""

import logging

from furiosa_npu.agent.log import Level, Log


class LogHandler(logging.Handler):
    """Hands each record on to a `Log`, with the library's logger as a field and the traceback, if any, in one line."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"logger": record.name}
        if record.exc_info:
            try:
                fields["traceback"] = logging.Formatter().formatException(record.exc_info)
            except (ImportError, OSError):  # no descriptor to load the module `traceback` with
                fields["error"] = repr(record.exc_info[1])
        self._log.entry(_level(record.levelno), record.getMessage(), dict(fields))


def bridge_logging(log: Log, name: str | None = None) -> logging.Logger:
    """From now on everything from warnings on that uses `logging` goes to `log`; gives the logger of that name."""
    root = logging.getLogger()
    root.handlers[:] = [LogHandler(log)]
    root.setLevel(logging.WARNING)
    return logging.getLogger(name)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
