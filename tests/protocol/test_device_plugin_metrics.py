"""What the metrics of the real plugin say after a story, value by value: who holds what, what became of each card."""

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.plugin_client import PluginError
from furiosa_npu.demo.pods import PodStatus
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    PLAIN,
    RESOURCES,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    client,
    free_port,
    get,
    pod,
    refusal,
    until,
    until_health,
)

COUNTED = ("state_transitions_total", "allocation_info", "answers_total", "registrations_total")


async def _counted(port: int) -> dict[str, str]:
    """The samples of these metrics that are not 0: their values by name and labels."""
    _, page = await get(port, "/metrics")
    names = tuple(f"furiosa_npu_{name}{{" for name in COUNTED)
    samples = [line.rpartition(" ") for line in page.splitlines() if line.startswith(names)]
    return {sample.removeprefix("furiosa_npu_"): value for sample, _, value in samples if value != "0"}


async def test_the_metrics_count_what_happened_and_name_who_holds_a_card(folder: str) -> None:
    """A pod of two containers; a card that fails and is well again; what was refused; a stream that ended."""
    port = free_port()
    async with Node(folder, cards("renegade", "renegade", "renegade")) as node:
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        for resource in RESOURCES:
            await node.until_allocatable(resource, 3, SECONDS)
        kubelet = node.kubelet
        holder = pod("holder", {ALPHA: 1}, {ALPHA: 1})
        assert await kubelet.run(holder) == PodStatus("Running")
        await node.until_seen(holder, SECONDS)
        held = [kubelet.container(holder, name).envs["NPU_NPUNAME"].removeprefix("npu") for name in ("app0", "app1")]
        first, second = (card_id(int(number)) for number in held)
        (number,) = {0, 1, 2} - {int(number) for number in held}
        bad = card_id(number)
        assert "in use" in await refusal(node, PLAIN, first)
        node.simulation.fail(bad)
        await until(node, lambda: kubelet.allocatable(ALPHA) == 2, "the card that failed is listed")
        with pytest.raises(PluginError, match="not alive"):
            await client(node, PLAIN).pre_start([bad])
        node.simulation.recover(bad)
        await node.until_allocatable(ALPHA, 3, SECONDS)
        kubelet.hang_up(PLAIN)
        await until(node, lambda: len(kubelet.journal.of("Register", PLAIN)) == 2, "registered again")
        await until_health(node, PLAIN, *(HEALTHY if i == number else UNHEALTHY for i in range(3)))
        answers = {
            f'answers_total{{call="Allocate",resource="{ALPHA}",outcome="answered"}}': "2",
            f'answers_total{{call="Allocate",resource="{PLAIN}",outcome="refused"}}': "1",
            f'answers_total{{call="PreStartContainer",resource="{ALPHA}",outcome="answered"}}': "2",
            f'answers_total{{call="PreStartContainer",resource="{PLAIN}",outcome="refused"}}': "1",
            f'registrations_total{{resource="{ALPHA}"}}': "1",
            f'registrations_total{{resource="{PLAIN}"}}': "2",
        }
        became = {
            f'state_transitions_total{{uuid="{uuid}",state="{state}"}}': count
            for uuid, states in {
                first: {"allocated": "1"},
                second: {"allocated": "1"},
                bad: {"failed": "1", "idle": "1", "probation": "1"},
            }.items()
            for state, count in states.items()
        }
        holds = 'namespace="default",pod="holder",container='
        holding = {
            f'allocation_info{{uuid="{uuid}",{holds}"{name}",resource="{ALPHA}"}}': "1"
            for uuid, name in ((first, "app0"), (second, "app1"))
        }
        assert await _counted(port) == answers | became | holding
        kubelet.end(holder)
        await until_health(node, PLAIN, HEALTHY, HEALTHY, HEALTHY)
        free = {f'state_transitions_total{{uuid="{uuid}",state="idle"}}': "1" for uuid in (first, second)}
        assert await _counted(port) == answers | became | free
