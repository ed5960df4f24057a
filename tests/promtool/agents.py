"""All three agents at work on simulated NPUs, with something to tell of each of their metrics."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from furiosa_npu.demo.child import Child
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import PodStatus
from furiosa_npu.kubelet import dra_v1 as dra
from tests.promtool.server import Target
from tests.protocol.api_server import api_server, kubeconfig
from tests.protocol.dra_kubelet import DraKubelet
from tests.protocol.dra_node import running
from tests.protocol.plugin_node import (
    ALPHA,
    HEALTHY,
    PLAIN,
    SECONDS,
    UNHEALTHY,
    card_id,
    cards,
    free_port,
    pod,
    refusal,
)
from tests.protocol.plugin_node import until_health as until_listed

FORBIDDEN = (403, {"kind": "Status", "message": "events is forbidden"})


class Agents:
    """Device plugin and labeller on node n1 with three Renegades, DRA driver on node n2 with a Warboy.

    The API server takes no events, and does not know what a ResourceSlice is.
    """

    def __init__(self, node: Node, kubelet: DraKubelet, targets: tuple[Target, ...]) -> None:
        self.node = node
        self.kubelet = kubelet
        self.targets = targets

    async def live(self) -> str:
        """A pod gets a card, another card fails and is refused, and so is a claim. The number of the failed card."""
        holder = pod("holder", {ALPHA: 1})
        assert await self.node.kubelet.run(holder) == PodStatus("Running")
        await self.node.until_seen(holder, SECONDS)
        held = int(self.node.kubelet.container(holder, "app0").envs["NPU_NPUNAME"].removeprefix("npu"))
        bad = (held + 1) % 3
        self.node.simulation.fail(f"npu{bad}")
        listed = [UNHEALTHY if number in (held, bad) else HEALTHY for number in range(3)]
        await until_listed(self.node, PLAIN, *listed)
        await refusal(self.node, ALPHA, card_id(bad))
        answers = await self.kubelet.prepare(dra.Claim("default", "uid-1", "one"))
        assert answers["uid-1"].error
        return f"npu{bad}"


@asynccontextmanager
async def agents(folder: str, tmp_path: Path) -> AsyncIterator[Agents]:
    ports = [free_port() for _ in range(3)]
    plugin, labeller, driver = (f"127.0.0.1:{port}" for port in ports)
    os.mkdir(f"{folder}/n2")
    with api_server() as server:
        server.nodes |= {"n1": {}, "n2": {}}
        server.answers["POST /api/v1/namespaces/"] = FORBIDDEN
        config = kubeconfig(tmp_path, server.url)
        on_n1 = ("--node-name=n1", f"--kubeconfig={config}")
        async with (
            Node(folder, cards("renegade", "renegade", "renegade")) as node,
            running(f"{folder}/n2", config, {"listen-address": driver}),
        ):
            node.simulation.fail("npu0", "link-narrow")
            await node.start_plugin(*on_n1, listen_address=plugin)
            roots = node.simulation.roots
            where = (f"--devfs-root={roots.devfs}", f"--sysfs-root={roots.sysfs}", f"--listen-address={labeller}")
            looking = await Child.start("furiosa_npu.node_labeller", (*on_n1, *where), node.log)
            try:
                kubelet = DraKubelet(f"{folder}/n2/kubelet")
                async with kubelet.living():
                    await node.until_allocatable(ALPHA, 3, SECONDS)
                    async with asyncio.timeout(SECONDS):
                        while not kubelet.registered:  # noqa: ASYNC110 - it looks by itself
                            await asyncio.sleep(0.05)
                    targets = (
                        Target(plugin, "furiosa-npu-plugin-renegade", "n1"),
                        Target(labeller, "furiosa-npu-labeller", "n1"),
                        Target(driver, "furiosa-npu-dra-driver", "n2"),
                    )
                    yield Agents(node, kubelet, targets)
            finally:
                await looking.stop()
