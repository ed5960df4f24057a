"""`furiosa-npu-plugin`: the entry point."""

import os
import sys


def main() -> None:
    """Exit codes: 0 after SIGTERM, 1 for a failure at work, 2 for wrong use."""
    from furiosa_npu.agent.settings import load
    from furiosa_npu.device_plugin.settings import PROGRAM, Settings

    invocation = load(PROGRAM, Settings, tuple(sys.argv[1:]), os.environ)
    if invocation.subcommand == "status":
        from furiosa_npu.watch.status_command import status

        raise SystemExit(status(PROGRAM.name, invocation.settings.listen_address))
    from furiosa_npu.agent.late_logging import put_late_logging
    from furiosa_npu.agent.log import Log
    from furiosa_npu.watch.late_imports import put_late_modules

    log = Log(invocation.settings.log_format, invocation.settings.log_level)
    put_late_logging(log)
    put_late_modules()
    import asyncio
    import signal

    from furiosa_npu.device_plugin.app import App

    async def serve() -> None:
        await App(invocation, log).run()

    # asyncio.run would put a handler of its own in the default's place, and signal then describes that to us in words
    # that need `inspect`, when the agent sets its own.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        asyncio.run(serve())
    except OSError as error:
        log.error("cannot go on", error=str(error))
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
