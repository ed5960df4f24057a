"""`furiosa-npu-dra-driver`: the entry point."""

import os
import sys


def main() -> None:
    """Exit codes: 0 after SIGTERM, 1 for a failure at work, 2 for wrong use."""
    from furiosa_npu.agent.settings import load, wrong_use
    from furiosa_npu.cluster.node import EXPECTED_NODE_NAME, is_node_name
    from furiosa_npu.dra_driver.settings import PROGRAM, Settings

    invocation = load(PROGRAM, Settings, tuple(sys.argv[1:]), os.environ)
    if invocation.subcommand == "status":
        from furiosa_npu.watch.status_command import status

        raise SystemExit(status(PROGRAM.name, invocation.settings.listen_address))
    name = invocation.settings.node_name
    if name is None or not is_node_name(name):
        wrong_use(PROGRAM, f"--node-name: found {name!r}, expected {EXPECTED_NODE_NAME}")
    from furiosa_npu.agent.late_logging import put_late_logging
    from furiosa_npu.agent.log import Log
    from furiosa_npu.watch.late_imports import put_late_modules

    log = Log(invocation.settings.log_format, invocation.settings.log_level)
    put_late_logging(log)
    put_late_modules()
    import asyncio
    import signal

    from furiosa_npu.dra_driver.app import App

    async def serve() -> None:
        await App(invocation, name, log).run()

    # As in the device plugin: asyncio.run's own handler would need `inspect`.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.makedirs(f"{invocation.settings.state_dir}/dra", mode=0o700, exist_ok=True)
        asyncio.run(serve())
    except OSError as error:
        log.error("cannot go on", error=str(error))
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
