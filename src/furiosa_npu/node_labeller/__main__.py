"""`furiosa-npu-labeller`: writes what NPUs the node has on the node's labels, until SIGTERM; `cleanup` removes them."""

import os
import sys

from furiosa_npu.agent.log import Log
from furiosa_npu.agent.settings import load, wrong_use
from furiosa_npu.cluster.api import Access, is_configured
from furiosa_npu.cluster.node import EXPECTED_NODE_NAME, is_node_name
from furiosa_npu.cluster.retry import chance
from furiosa_npu.node_labeller.settings import PROGRAM, Settings


def main() -> int:
    """Exit code: 0 stopped or cleaned up, 1 failed at work; 2 (wrong use) is raised."""
    invocation = load(PROGRAM, Settings, tuple(sys.argv[1:]), os.environ)
    settings = invocation.settings
    node_name = settings.node_name
    if node_name is None or not is_node_name(node_name):
        found = "nothing" if node_name is None else f"'{node_name}'"
        wrong_use(
            PROGRAM, f"--node-name (environment variable NODE_NAME): found {found}, expected {EXPECTED_NODE_NAME}"
        )
    if not is_configured(settings.kubeconfig, os.environ):
        wrong_use(PROGRAM, "found no cluster around this process, expected --kubeconfig FILE (or to run in a pod)")
    access = Access(settings.kubeconfig)
    if invocation.subcommand == "cleanup":
        from furiosa_npu.node_labeller.cleanup import cleanup

        done = cleanup(node_name, access)
        if done.failure is not None:
            sys.stderr.write(f"{PROGRAM.name}: {done.failure}\n")
            return 1
        print(done.report)
        return 0
    return _serve(settings, node_name, access, Log(settings.log_format, settings.log_level))


def _serve(settings: Settings, node_name: str, access: Access, log: Log) -> int:
    from furiosa_npu.hardware.hotplug import DeviceWatch
    from furiosa_npu.hardware.reading import Roots
    from furiosa_npu.node_labeller.agent import Labeller, Node
    from furiosa_npu.node_labeller.label_keeper import LabelKeeper
    from furiosa_npu.node_labeller.sight import Lookout
    from furiosa_npu.node_labeller.stop_signal import StopSignal

    stop = StopSignal()
    roots = Roots(settings.devfs_root, settings.sysfs_root)
    node = Node(look=Lookout(roots).look, watch=lambda: DeviceWatch(roots))
    keeper = LabelKeeper(node_name, settings.silicon_hwtype)
    labeller = Labeller(node, keeper, access, log, settings.rescan_seconds, settings.silicon_hwtype, random=chance)
    listening = "none"
    if settings.listen_address is not None:
        try:
            listening = str(settings.listen_address._replace(port=labeller.listen(settings.listen_address)))
        except OSError as error:
            log.error("cannot listen", address=str(settings.listen_address), reason=error.strerror or str(error))
            return 1
    log.info("started", version=PROGRAM.version, node=node_name, **roots._asdict(), listening=listening)
    stopped: list[bool] = []
    labeller.loop.add_reader(stop.fileno(), lambda: stopped.append(True))
    while not stopped:
        labeller.step()
    labeller.close()
    stop.close()
    log.info("stopped, the labels stay")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
