"""What the whole plugin writes to the API server through its child: events on the node and on pods, the condition."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from furiosa_npu.cluster.api import rfc3339
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from tests.protocol.api_server import ApiServer, api_server, kubeconfig
from tests.protocol.in_time import LATE, in_one_of_a_few_tries, stopped_in_time
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    RESOURCES,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    free_port,
    plugin_node,
    pod,
    said,
    until,
    until_health,
)

CONDITION = "FuriosaNPUHealthy"
NOT_ALIVE = "not alive: the driver's file alive says that the card does not run"
STOPPED = ("Unknown", "PluginStopped")


async def eventually(happened: Callable[[], bool], what: str) -> None:
    """Of a server in a thread and a child of the plugin: there is no event to wait for."""
    try:
        async with asyncio.timeout(SECONDS):
            while not happened():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {SECONDS:g} s: {what}") from None


def condition(server: ApiServer) -> tuple[str, str] | None:
    """Status and reason, as they were written last."""
    kept = server.conditions.get("n1", {}).get(CONDITION)
    return None if kept is None else (kept["status"], kept["reason"])


async def until_condition(server: ApiServer, status: str, reason: str) -> None:
    await eventually(lambda: condition(server) == (status, reason), f"{CONDITION} is {status}, {reason}")


def told(server: ApiServer) -> set[tuple[str, str, str, str, str]]:
    """Of each event: kind and UID of what it is about, type, reason and message."""
    return {
        (about["kind"], about["uid"], event["type"], event["reason"], event["message"])
        for event in list(server.events.values())
        for about in (event["involvedObject"],)
    }


def options(place: Path, url: str) -> tuple[str, ...]:
    return ("--node-name", "n1", "--kubeconfig", kubeconfig(place, url), "--start-jitter-seconds=0")


async def test_a_failing_card_is_told_on_its_node_and_to_its_pod(folder: str, tmp_path: Path) -> None:
    """An event on each of both, the condition False with the worst sign; and the same when it is well again."""
    with api_server() as server:
        server.nodes["n1"] = {}
        server.pods["default", "holder"] = "uid-of-the-holder"
        async with plugin_node(folder, cards("warboy", "warboy"), *options(tmp_path, server.url)) as node:
            await until_condition(server, "True", "AllNPUsHealthy")
            holder = pod("holder", {ALPHA: 1})
            assert await node.kubelet.run(holder) == PodStatus("Running")
            await node.until_seen(holder, SECONDS)
            held = node.kubelet.container(holder, "app0").envs["NPU_NPUNAME"]
            number = int(held.removeprefix("npu"))
            other = f"npu{1 - number}"
            node.simulation.fail(other, "temperature=120")
            await until_condition(server, "False", "Temperature")
            node.simulation.fail(held)
            await until_condition(server, "False", "NotAlive")
            card, hot = f"{held} ({card_id(number)})", f"{other} ({card_id(1 - number)})"
            over = "sensor PEAK is over the bound of 100 °C"
            bad = {
                ("Node", "n1", "Warning", "NPUFailed", f"{hot} has failed: {over}"),
                ("Node", "n1", "Warning", "NPUFailed", f"{card} has failed: {NOT_ALIVE}"),
                (
                    *("Pod", "uid-of-the-holder", "Warning", "NPUFailed"),
                    f"{card}, which this pod holds, has failed: {NOT_ALIVE}",
                ),
            }
            await eventually(lambda: told(server) == bad, f"{bad} is told")
            message = server.conditions["n1"][CONDITION]["message"]
            assert message == f"2 of 2 NPUs not healthy: {card} failed: {NOT_ALIVE}; {hot} failed: {over}"
            node.simulation.recover(held)
            node.simulation.recover(other)
            await until_condition(server, "True", "AllNPUsHealthy")
            well = {
                ("Node", "n1", "Normal", "NPUHealthy", f"{hot} is good now"),
                ("Node", "n1", "Normal", "NPUHealthy", f"{card} is good now"),
                ("Pod", "uid-of-the-holder", "Normal", "NPUHealthy", f"{card}, which this pod holds, is good now"),
            }
            await eventually(lambda: told(server) == bad | well, f"{well} is told")


async def test_a_plugin_that_starts_takes_no_pod_for_a_stranger(folder: str, tmp_path: Path) -> None:
    """It sees that the card is in use before it hears from the kubelet by whom."""
    with api_server() as server:
        server.nodes["n1"] = {}
        async with plugin_node(folder, cards("renegade"), *options(tmp_path, server.url)) as node:
            worker = pod("worker", {ALPHA: 1})
            assert await node.kubelet.run(worker) == PodStatus("Running")
            await node.until_seen(worker, SECONDS)
            await until_condition(server, "True", "AllNPUsHealthy")
            node.simulation.occupy("npu0")
            for _ in range(2):
                assert node.plugin is not None
                assert await node.plugin.stop() == 0
                server.conditions.clear()
                await node.start_plugin(*options(tmp_path, server.url))
                await until_condition(server, "True", "AllNPUsHealthy")
        assert told(server) == set()


async def test_nothing_is_written_while_nothing_changes(folder: str, tmp_path: Path) -> None:
    """One condition at the start, and one question; pods come and go and cycles pass without a request; one more at
    the end."""

    async def story(place: str) -> bool:
        with api_server() as server:
            server.nodes["n1"] = {}
            async with plugin_node(place, cards("warboy", "warboy"), *options(tmp_path, server.url)) as node:
                await until_condition(server, "True", "AllNPUsHealthy")
                for name in ("first", "second"):
                    passing = pod(name, {ALPHA: 2})
                    assert await node.kubelet.run(passing) == PodStatus("Running")
                    await cycles(node)
                    node.kubelet.end(passing)
                    await until_health(node, ALPHA, HEALTHY, HEALTHY)
                assert sorted(seen.method for seen in server.seen) == ["GET", "PATCH"]
                assert node.plugin is not None
                assert await node.plugin.stop() == 0
                if said(node, LATE):
                    return False
            assert (sorted(seen.method for seen in server.seen), server.connections) == (["GET", "PATCH", "PATCH"], 3)
            assert (condition(server), server.events) == (STOPPED, {})
            return True

    await in_one_of_a_few_tries(folder, story)


async def cycles(node: Node) -> None:
    """Two of them pass."""
    looks = len(node.kubelet.journal.of("List"))
    await until(node, lambda: len(node.kubelet.journal.of("List")) > looks + 2, "cycles pass")


async def test_an_api_server_that_was_away_is_told_later_when_it_happened(folder: str, tmp_path: Path) -> None:
    """Cards are handed out all the while; events and condition have the times of the card, not of the writing."""
    port = free_port()
    async with plugin_node(folder, cards("warboy", "warboy"), *options(tmp_path, f"https://127.0.0.1:{port}")) as node:
        began = rfc3339(time.time())
        node.simulation.fail("npu1")
        await until_health(node, ALPHA, HEALTHY, UNHEALTHY)
        failed = rfc3339(time.time())
        await eventually(lambda: bool(said(node, "not written")), "the trouble is in the log")
        holder = pod("holder", {ALPHA: 1})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        await eventually(lambda: rfc3339(time.time()) > failed, "a second passes, in which times are written")
        server = ApiServer(port=port)
        try:
            server.nodes["n1"] = {}
            await until_condition(server, "False", "NotAlive")
            await eventually(lambda: bool(server.events), "the event is told")
            (event,) = server.events.values()
            since = server.conditions["n1"][CONDITION]["lastTransitionTime"]
            times = (event["firstTimestamp"], event["lastTimestamp"], since)
            assert [began <= each <= failed for each in times] == [True] * 3
            await eventually(lambda: bool(said(node, "takes what is written again")), "the end of the trouble")
            assert node.plugin is not None
            assert await node.plugin.stop() == 0
        finally:
            server.close()


def waited_for_children(pid: int) -> bool:
    """Whether the process has, or ever had and waited for, a child: page faults of children are counted (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[8] != "0" or Path(f"/proc/{pid}/task/{pid}/children").read_text() != ""


NOBODY: dict[str, tuple[tuple[str, ...], bool, str]] = {
    "no name of the node": ((), True, "--node-name: found none, expected a node's name: "),
    "no node's name": (("--node-name", "Node_1"), True, "--node-name: found 'Node_1', expected a node's name: "),
    "no API server": (("--node-name", "n1"), False, "no --kubeconfig, and no pod's token at "),
}
"""Options, whether there is a kubeconfig too, and what the log says is missing."""


@pytest.mark.parametrize("lack", NOBODY)
async def test_without_a_name_or_a_token_one_line_says_so_and_no_child_is_started(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    """A card fails and recovers all the same; in a pod without a token too."""
    given, has_kubeconfig, words = NOBODY[lack]
    monkeypatch.delenv("NODE_NAME", raising=False)

    async def story(place: str) -> bool:
        with api_server() as server:
            monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
            more = ("--kubeconfig", kubeconfig(tmp_path, server.url)) if has_kubeconfig else ()
            async with plugin_node(place, cards("warboy"), *given, *more) as node:
                node.simulation.fail("npu0")
                for resource in RESOURCES:
                    await until_health(node, resource, UNHEALTHY)
                node.simulation.recover("npu0")
                for resource in RESOURCES:
                    await until_health(node, resource, HEALTHY)
                assert node.plugin is not None
                assert not waited_for_children(node.plugin.pid)
                (line,) = said(node, "no events and no node condition")
                assert words in line
                in_time = await stopped_in_time(node)
            assert server.connections == 0
            return in_time

    await in_one_of_a_few_tries(folder, story)
