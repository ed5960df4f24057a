"""Events and conditions written to an API server on loopback by the real child, driven by asyncio."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.cluster.api import Access
from furiosa_npu.cluster.condition import Condition
from furiosa_npu.cluster.event_queue import Limits
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.cluster.objects import the_node, the_pod
from furiosa_npu.cluster.outbox import Outbox, Remark
from furiosa_npu.cluster.writer import LAST_SECONDS, Writer
from tests.jumping_loop import run
from tests.protocol.api_server import TLS, TOKEN, ApiServer, api_server, kubeconfig
from tests.protocol.plugin_node import free_port

WALL = 1769853600.0
"""2026-01-31T10:00:00Z"""
BAD = Condition("FuriosaNPUHealthy", "False", "NotAlive", "npu0 is dead")
LEFT = Condition("FuriosaNPUHealthy", "Unknown", "PluginStopped", "stopped")
FAILED = Event(the_node("n1"), "Warning", "NPUFailed", "npu0 is dead")
POD_TOLD = Event(the_pod("team-a", "train-0"), "Warning", "NPUFailed", "your npu0 is dead")
EXPECTED_BAD = {
    "type": "FuriosaNPUHealthy",
    "status": "False",
    "reason": "NotAlive",
    "message": "npu0 is dead",
    "lastHeartbeatTime": "2026-01-31T10:00:00Z",
    "lastTransitionTime": "2026-01-31T10:00:00Z",
}


LONG = 60.0
"""seconds that are never waited for: what comes has come long before"""


class Desk:
    """A writer whose clock can be moved on, and what it said. `last_seconds`: what its last write may take."""

    def __init__(self, access: Access, environment: dict[str, str] | None = None, last_seconds: float = LONG) -> None:
        self.later = 0.0
        self.remarks: list[Remark] = []
        outbox = Outbox(Source("furiosa-npu-plugin", "n1"), Limits(gather_seconds=0.0, refusals=1))
        self.writer = Writer(
            outbox,
            access,
            self.remarks.append,
            clock=lambda: time.monotonic() + self.later,
            wall=lambda: WALL + self.later,
            random=lambda: 1.0,
            environment=environment,
            last_seconds=last_seconds,
        )

    async def until(self, happened: Callable[[], bool]) -> None:
        """Lets the loop turn until then."""
        async with asyncio.timeout(LONG):
            while not happened():  # noqa: ASYNC110 - a server in a thread, a child: no event to wait for
                await asyncio.sleep(0.005)

    async def written(self, count: int) -> None:
        """Until so many writes were taken, and no child is under way."""
        counts = self.writer.outbox.counts
        await self.until(lambda: sum(n for (_, what), n in counts.items() if what == "written") >= count)


def known(server: ApiServer) -> None:
    server.nodes["n1"] = {}
    server.pods["team-a", "train-0"] = "1f0c"


def in_short(server: ApiServer) -> list[tuple[str, str, str, int]]:
    """Namespace, UID of what it is about, first time and count of each event."""
    return sorted(
        (namespace, event["involvedObject"]["uid"], event["firstTimestamp"], event["count"])
        for (namespace, _), event in server.events.items()
    )


def children() -> list[str]:
    """Command lines of this process' children."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{child}/cmdline").read_text() for child in found]


async def test_a_condition_and_events_arrive_in_two_children(tmp_path: Path) -> None:
    """What waits at one moment goes over one connection; a pod's event after its UID; then peace."""
    with api_server() as server:
        known(server)
        desk = Desk(Access(kubeconfig(tmp_path, server.url)))
        desk.writer.hold(BAD)
        desk.writer.say(FAILED)
        desk.writer.say(POD_TOLD)
        await desk.written(3)
        assert server.conditions == {"n1": {"FuriosaNPUHealthy": EXPECTED_BAD}}
        assert in_short(server) == [
            ("default", "n1", "2026-01-31T10:00:00Z", 1),
            ("team-a", "1f0c", "2026-01-31T10:00:00Z", 1),
        ]
        assert [seen.method for seen in server.seen] == ["PATCH", "POST", "GET", "POST"]
        assert server.connections == 2
        assert (desk.remarks, desk.writer.outbox.due_at()) == ([], None)
        desk.writer.close()


async def test_a_pod_writes_with_its_service_account(tmp_path: Path) -> None:
    """Its token and CA are read by the child."""
    with api_server() as server:
        known(server)
        (tmp_path / "ca.crt").write_bytes((TLS / "ca.crt").read_bytes())
        (tmp_path / "token").write_text(TOKEN)
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        desk = Desk(Access(service_account=str(tmp_path)), environment)
        desk.writer.hold(BAD)
        await desk.written(1)
        assert server.conditions == {"n1": {"FuriosaNPUHealthy": EXPECTED_BAD}}
        desk.writer.close()


async def test_the_same_again_raises_the_count_of_the_event_that_is_there(tmp_path: Path) -> None:
    """A PATCH, a minute later."""
    with api_server() as server:
        known(server)
        desk = Desk(Access(kubeconfig(tmp_path, server.url)))
        desk.writer.say(FAILED)
        await desk.written(1)
        desk.later = 61.0
        desk.writer.say(FAILED)
        await desk.written(2)
        (event,) = server.events.values()
        assert (event["count"], event["lastTimestamp"]) == (2, "2026-01-31T10:01:01Z")
        assert server.seen[-1].body == {"count": 2, "lastTimestamp": "2026-01-31T10:01:01Z"}
        desk.writer.close()


async def test_an_api_server_that_was_away_gets_all_with_the_times_at_which_it_happened(tmp_path: Path) -> None:
    """Nothing is lost, nothing is said twice; the news of an hour later goes with it."""
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    desk = Desk(Access(kubeconfig(tmp_path, url)))
    desk.writer.hold(BAD)
    desk.writer.say(FAILED)
    await desk.until(lambda: bool(desk.remarks))
    server = ApiServer(port=port)
    try:
        known(server)
        desk.later = 3600.0
        desk.writer.say(POD_TOLD)
        await desk.written(3)
        assert in_short(server) == [
            ("default", "n1", "2026-01-31T10:00:00Z", 1),
            ("team-a", "1f0c", "2026-01-31T11:00:00Z", 1),
        ]
        condition = server.conditions["n1"]["FuriosaNPUHealthy"]
        assert condition == EXPECTED_BAD | {"lastHeartbeatTime": "2026-01-31T11:00:00Z"}
        assert desk.remarks == [
            Remark("warning", f"not written: {url}: cannot connect (Connection refused): is the API server away?"),
            Remark("info", "the API server takes what is written again"),
        ]
    finally:
        desk.writer.close()
        server.close()


async def test_a_right_that_is_missing_is_said_once_and_holds_up_nothing_else(tmp_path: Path) -> None:
    """403 for one namespace's events: the others and the condition are written."""
    with api_server() as server:
        known(server)
        server.answers["POST /api/v1/namespaces/team-a/"] = (403, {"kind": "Status", "message": "no"})
        desk = Desk(Access(kubeconfig(tmp_path, server.url)))
        desk.writer.say(POD_TOLD)
        desk.writer.say(POD_TOLD._replace(reason="NPUGone"))
        desk.writer.say(FAILED)
        desk.writer.hold(BAD)
        await desk.until(lambda: desk.writer.outbox.counts["event", "refused"] == 2)
        await desk.written(2)
        assert in_short(server) == [("default", "n1", "2026-01-31T10:00:00Z", 1)]
        assert server.conditions == {"n1": {"FuriosaNPUHealthy": EXPECTED_BAD}}
        right = "the right to create events is missing (ClusterRole and its binding)"
        where = "POST /api/v1/namespaces/team-a/events: the API server answered 403 (no)"
        assert desk.remarks == [Remark("warning", f"not written: {where}: {right}")]
        desk.writer.close()


async def test_the_last_write_says_unknown_and_what_waits(tmp_path: Path) -> None:
    """At SIGTERM, without the gathering of a second."""
    with api_server() as server:
        known(server)
        desk = Desk(Access(kubeconfig(tmp_path, server.url)))
        await desk.writer.last(LEFT)
        assert server.conditions["n1"]["FuriosaNPUHealthy"]["reason"] == "PluginStopped"
        desk.writer.say(FAILED)
        desk.writer.hold(BAD)
        assert (desk.writer.outbox.due_at(), desk.remarks, children()) == (None, [], [])


def test_the_last_write_waits_for_no_server_longer_than_its_time(tmp_path: Path) -> None:
    """A server that takes the connection and says nothing, a child under way: gone in time, no process is left."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        desk = Desk(Access(kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")), None, LAST_SECONDS)
        desk.writer.hold(BAD)
        await desk.until(lambda: bool(children()))
        started = loop.time()
        await desk.writer.last(LEFT)
        assert loop.time() - started == pytest.approx(LAST_SECONDS)
        assert children() == []
        assert desk.remarks == [Remark("warning", "the last of it was not written within 0.7 s")]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        run(story())


@pytest.mark.parametrize(("environment", "token"), [({}, True), ({"KUBERNETES_SERVICE_HOST": "127.0.0.1"}, False)])
async def test_without_an_api_server_nothing_is_kept_or_started(
    tmp_path: Path, environment: dict[str, str], token: bool
) -> None:
    """Neither a pod nor a kubeconfig; or a pod without a token."""
    if token:
        (tmp_path / "token").write_text("t")
    desk = Desk(Access(service_account=str(tmp_path)), environment)
    desk.writer.hold(BAD)
    desk.writer.say(FAILED)
    await desk.writer.last(LEFT)
    assert (desk.writer.enabled, desk.writer.outbox.due_at(), desk.remarks, children()) == (False, None, [], [])


async def test_no_process_to_be_had_is_a_server_that_is_away(tmp_path: Path, monkeypatch: Any) -> None:
    """Said once; tried again later."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "nothing"))
    desk = Desk(Access(kubeconfig(tmp_path, "http://127.0.0.1:1")))
    desk.writer.say(FAILED)
    await desk.until(lambda: bool(desk.remarks))
    said = "not written: no child process for the API server: No such file or directory"
    assert (desk.remarks, desk.writer.outbox.waiting()) == ([Remark("warning", said)], 1)
    desk.writer.close()
