"""Promises that must hold whatever pods, cards and the plugin itself do: random histories try to break them."""

import random

import pytest

from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import Pod
from furiosa_npu.hardware.reading import Family
from tests.protocol.plugin_node import ALPHA, HEALTHY, PLAIN, RESOURCES, SECONDS, cards, plugin_node, pod, until_health

CARDS: tuple[Family, ...] = ("warboy", "warboy", "warboy")
STEPS = 60


class History:
    """One node's life, step by step, from a seed."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node = node
        self.chance = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self.running: list[Pod] = []
        self.failed: set[str] = set()
        self.made = 0

    async def step(self) -> None:
        """A pod comes or goes, a card fails or recovers, or the plugin looks who holds what."""
        what = self.chance.choice(["run", "run", "run", "end", "end", "fail", "recover", "look"])
        if what == "run":
            await self._run()
        elif what == "end" and self.running:
            self.node.kubelet.end(self.running.pop(self.chance.randrange(len(self.running))))
        elif what == "fail":
            npu = f"npu{self.chance.randrange(len(CARDS))}"
            self.node.simulation.fail(npu)
            self.failed.add(npu)
        elif what == "recover":
            self.recover()
        elif what == "look":
            journal = self.node.kubelet.journal
            looks = len(journal.of("List"))
            held = any(self.node.kubelet.books.allotments)
            if held:
                await journal.until(lambda: len(journal.of("List")) > looks, "the plugin looks", SECONDS)

    def recover(self) -> None:
        for npu in self.failed:
            self.node.simulation.recover(npu)
        self.failed.clear()

    async def _run(self) -> None:
        resource = self.chance.choice(RESOURCES)
        asked = {resource: self.chance.randint(1, 2)}
        init = [{resource: 1}] if self.chance.random() < 0.3 else []
        new = pod(f"pod-{self.made}", asked if self.chance.random() < 0.9 else {}, init=init)
        self.made += 1
        before = {card.card.name for card in self.node.simulation.state().cards if card.faults}
        status = await self.node.kubelet.run(new)
        if status.phase == "Running":
            self.running.append(new)
            names = self.node.kubelet.container(new, "app0").envs.get("NPU_NPUNAME", "")
            assert not before & set(names.split(",")), f"{new.name} got {names}, of which {before} had failed"
        elif status.reason == "CreateContainerConfigError":
            self.node.kubelet.end(new)

    def check(self) -> None:
        """No card is held by two pods that run, under whatever names."""
        holders: dict[str, str] = {}
        alive = {each.uid for each in self.running}
        for place, (devices, _) in self.node.kubelet.books.allotments.items():
            for device in devices if place.pod_uid in alive else ():
                other = holders.setdefault(device, place.pod_uid)
                assert other == place.pod_uid, f"{device} is held by {other} and {place.pod_uid}"


@pytest.mark.parametrize("seed", range(3))
async def test_no_card_is_in_two_pods_and_none_is_lost(folder: str, seed: int) -> None:
    """Under two names, with init containers and failing cards; once all is over, every card is offered again."""
    async with plugin_node(folder, cards(*CARDS)) as node:
        history = History(node, seed)
        for _ in range(STEPS):
            await history.step()
            history.check()
        history.recover()
        for each in history.running:
            node.kubelet.end(each)
        for resource in (ALPHA, PLAIN):
            await until_health(node, resource, *[HEALTHY] * len(CARDS))
