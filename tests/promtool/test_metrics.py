"""`promtool check metrics` on the pages of the real agents: names, units, help and types are as Prometheus has them."""

import asyncio
import re
import subprocess

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.node_labeller import pages
from tests.protocol.plugin_node import (
    ALPHA,
    PLAIN,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    free_port,
    get,
    pod,
    refusal,
    until_health,
)
from tests.unit.test_node_labeller_pages import GOOD


def complaints(page: str) -> tuple[int, str]:
    """promtool's exit status and what it said."""
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def declared(page: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE))


def with_samples(page: str) -> set[str]:
    """A histogram's samples carry its name with an ending."""
    names = set(re.findall(r"^(\w+)(?:{| )", page, re.MULTILINE))
    return names | {re.sub("_(bucket|sum|count)$", "", name) for name in names}


async def test_the_plugins_page_is_clean_with_a_sample_of_every_metric(folder: str) -> None:
    """A card that a pod holds, one that failed, one with a warning; answers and refusals; a kubelet that is away."""
    port = free_port()
    async with Node(folder, cards("renegade", "renegade")) as node:
        node.simulation.fail("npu0", "link-narrow")
        await node.start_plugin(listen_address=f"127.0.0.1:{port}")
        await node.until_allocatable(ALPHA, 2, SECONDS)
        holder = pod("holder", {ALPHA: 1})
        assert await node.kubelet.run(holder) == PodStatus("Running")
        await node.until_seen(holder, SECONDS)
        other = 1 - int(node.kubelet.container(holder, "app0").envs["NPU_NPUNAME"].removeprefix("npu"))
        node.simulation.fail(f"npu{other}")
        await until_health(node, PLAIN, UNHEALTHY, UNHEALTHY)
        await refusal(node, ALPHA, card_id(other))
        await node.kubelet.stop()
        async with asyncio.timeout(SECONDS):
            while "furiosa_npu_trouble{" not in (page := (await get(port, "/metrics"))[1]):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.1)
        assert declared(page) - with_samples(page) == set()
        assert complaints(page) == (0, "")


def test_the_labellers_page_is_clean_with_a_sample_of_every_metric() -> None:
    """A labeller that has looked and written."""
    page = pages.metrics(GOOD)
    assert declared(page) - with_samples(page) == set()
    assert complaints(page) == (0, "")


def test_what_prometheus_would_refuse_is_complained_of() -> None:
    """The linter is there and reads what it is given."""
    page = "# HELP furiosa_npu_answers Answers.\n# TYPE furiosa_npu_answers counter\nfuriosa_npu_answers 1\n"
    assert complaints(page)[0] != 0
