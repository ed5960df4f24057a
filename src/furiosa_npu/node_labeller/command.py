"""What the labeller's command line asks for: labels until SIGTERM, or `cleanup`."""

import os
import sys
import time

from furiosa_npu.agent.log import Log
from furiosa_npu.agent.settings import load, wrong_use
from furiosa_npu.cluster.retry import chance, start_delay_seconds
from furiosa_npu.node_labeller.publishing import Publishing, publishing
from furiosa_npu.node_labeller.settings import PROGRAM, Settings


def run() -> int:
    """Exit code: 0 stopped or cleaned up, 1 failed at work; 2 (wrong use) is raised."""
    invocation = load(PROGRAM, Settings, tuple(sys.argv[1:]), os.environ)
    settings = invocation.settings
    try:
        told = publishing(settings)
    except ValueError as error:
        wrong_use(PROGRAM, str(error))
    if invocation.subcommand == "cleanup":
        from furiosa_npu.node_labeller.cleanup import cleanup, in_time

        done = cleanup(told.board, lambda request: in_time(told.send, request))
        if done.failure is not None:
            sys.stderr.write(f"{PROGRAM.name}: {done.failure}\n")
            return 1
        print(done.report)
        return 0
    return _serve(settings, told, Log(settings.log_format, settings.log_level))


def _serve(settings: Settings, told: Publishing, log: Log) -> int:
    from furiosa_npu.hardware.hotplug import DeviceWatch
    from furiosa_npu.hardware.reading import Roots
    from furiosa_npu.node_labeller.agent import Labeller, Node
    from furiosa_npu.node_labeller.label_keeper import LabelKeeper
    from furiosa_npu.node_labeller.outlook import outlook
    from furiosa_npu.node_labeller.stop_signal import StopSignal

    stop = StopSignal()
    roots = Roots(settings.devfs_root, settings.sysfs_root)
    lookout, more = outlook(settings, roots)
    node = Node(look=lookout.look, watch=lambda: DeviceWatch(roots))
    jitter = 0 if settings.publish == "features.d" else settings.start_jitter_seconds  # a file is this node's own
    not_before = time.monotonic() + start_delay_seconds(jitter, chance())
    keeper = LabelKeeper(told.board, settings.silicon_hwtype, more, not_before)
    labeller = Labeller(node, keeper, told.send, log, settings.rescan_seconds, settings.silicon_hwtype, random=chance)
    listening = "none"
    if settings.listen_address is not None:
        try:
            listening = str(settings.listen_address._replace(port=labeller.listen(settings.listen_address)))
        except OSError as error:
            log.error("cannot listen", address=str(settings.listen_address), reason=error.strerror or str(error))
            return 1
    log.info(
        "started",
        version=PROGRAM.version,
        node=settings.node_name,
        publish=None if settings.publish == "node" else told.board.where,
        **roots._asdict(),
        listening=listening,
    )
    stopped: list[bool] = []
    labeller.loop.add_reader(stop.fileno(), lambda: stopped.append(True))
    while not stopped:
        labeller.step()
    labeller.close()
    stop.close()
    log.info("stopped, the labels stay")
    return 0
