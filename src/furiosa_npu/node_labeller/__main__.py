"""`furiosa-npu-labeller`: writes what NPUs the node has on the node's labels, until SIGTERM; `cleanup` removes them."""


def main() -> int:
    """Exit code: 0 stopped or cleaned up, 1 failed at work; 2 (wrong use) is raised."""
    from furiosa_npu.agent.lean_typing import put_lean_typing

    put_lean_typing()
    from furiosa_npu.agent.lean_tuples import put_lean_tuples

    put_lean_tuples()
    from furiosa_npu.node_labeller.command import run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
