"""`furiosa-npu-dra-driver`: the entry point."""

import os


def main() -> None:
    """Exit codes: 0 after SIGTERM, 1 for a failure at work, 2 for wrong use."""
    from furiosa_npu.agent.lean_tuples import put_lean_tuples

    put_lean_tuples()
    from furiosa_npu.agent.settings import wrong_use
    from furiosa_npu.cluster.node import EXPECTED_NODE_NAME, is_node_name
    from furiosa_npu.dra_driver.settings import PROGRAM, Settings
    from furiosa_npu.watch.process import invoked, ready, run

    invocation = invoked(PROGRAM, Settings)
    name = invocation.settings.node_name
    if name is None or not is_node_name(name):
        wrong_use(PROGRAM, f"--node-name: found {name!r}, expected {EXPECTED_NODE_NAME}")
    log = ready(invocation.settings)
    from furiosa_npu.dra_driver.app import App

    async def serve() -> None:
        os.makedirs(f"{invocation.settings.state_dir}/dra", mode=0o700, exist_ok=True)
        await App(invocation, name, log).run()

    run(serve, log)


if __name__ == "__main__":
    main()
