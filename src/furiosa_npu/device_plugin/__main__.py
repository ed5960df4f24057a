"""`furiosa-npu-plugin`: the entry point."""


def main() -> None:
    """Exit codes: 0 after SIGTERM, 1 for a failure at work, 2 for wrong use."""
    from furiosa_npu.agent.lean_tuples import put_lean_tuples

    put_lean_tuples()
    from furiosa_npu.device_plugin.settings import PROGRAM, Settings
    from furiosa_npu.watch.process import invoked, ready, run

    invocation = invoked(PROGRAM, Settings)
    log = ready(invocation.settings)
    from furiosa_npu.device_plugin.app import App

    run(lambda: App(invocation, log).run(), log)


if __name__ == "__main__":
    main()
