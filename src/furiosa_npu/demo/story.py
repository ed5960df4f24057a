"""What the demo shows, step by step. A step that did not happen as it must raises StepFailed."""

from collections.abc import Callable

from furiosa_npu.demo.container import ContainerView
from furiosa_npu.demo.node import Node
from furiosa_npu.demo.pods import Container, Pod, PodStatus, parse_pod

ALPHA, PLAIN = "alpha.furiosa.ai/npu", "furiosa.ai/npu"

NPU_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: npu-pod
spec:
  nodeSelector:
    alpha.furiosa.ai/npu.family: warboy
  containers:
    - name: linux
      image: ubuntu:focal
      command: ["/bin/sleep", "3650d"]
      resources:
        limits:
          alpha.furiosa.ai/npu: "1"
"""
"""The pod of the user's document."""

REGISTER_SECONDS = 20.0
"""A Python that starts without bytecode on a busy machine takes seconds; usual are 0.2."""
CHANGE_SECONDS = 10.0
"""The plugin promises 2 s for each change; a busy machine may take longer, and the demo says how long it took."""


class StepFailed(Exception):
    """What had to happen and did not."""


class Story:
    """The steps on one node with two Warboys."""

    def __init__(self, node: Node, say: Callable[[str], None]) -> None:
        self._node = node
        self._kubelet = node.kubelet
        self._say = say

    async def tell(self) -> None:
        """All steps. Raises StepFailed or TimeoutError."""
        await self._plugin_registers()
        first = await self._pod_of_the_document()
        second = await self._pod_under_the_other_name()
        await self._one_more_waits()
        failed = await self._a_card_fails(second)
        await self._the_card_recovers(failed)
        self._inside(first)

    async def _plugin_registers(self) -> None:
        self._say("1. The device plugin starts, finds the cards and registers both resource names.")
        await self._node.start_simulator()
        await self._node.start_plugin()
        for resource in (ALPHA, PLAIN):
            await self._node.until_allocatable(resource, 2, REGISTER_SECONDS)
        self._show_node()

    async def _pod_of_the_document(self) -> Pod:
        self._say(f"2. Pod npu-pod asks for {ALPHA}: 1.")
        pod = parse_pod(NPU_POD, "uid-npu-pod")
        await self._run(pod, "Running")
        await self._node.until_allocatable(PLAIN, 1, CHANGE_SECONDS)
        self._say("   Its card counts under that name, and is not offered under the other.")
        self._show_node()
        return pod

    async def _pod_under_the_other_name(self) -> Pod:
        self._say(f"3. Pod other-name asks for {PLAIN}: 1, and gets the other card.")
        pod = _pod("other-name", PLAIN)
        await self._run(pod, "Running")
        devices = self._kubelet.container(pod, "main").envs.get("NPU_NPUNAME")
        self._say(f"   NPU_NPUNAME={devices}")
        await self._node.until_allocatable(ALPHA, 1, CHANGE_SECONDS)
        await self._node.until_seen(pod, CHANGE_SECONDS)
        return pod

    async def _one_more_waits(self) -> None:
        self._say("4. One more pod finds no card, and waits.")
        await self._run(_pod("one-more", ALPHA), "Pending")

    async def _a_card_fails(self, pod: Pod) -> str:
        card = self._kubelet.container(pod, "main").envs["NPU_NPUNAME"]
        self._say(f"5. {card}, which pod other-name has, fails: furiosa-npu-simulator fail DIR {card}")
        self._node.simulation.fail(card)
        self._say("   The pod's container restarts; the plugin looks once more, and refuses:")
        status = await self._kubelet.start_container(pod, pod.containers[0])
        self._expect(status.phase == "Pending" and "not alive" in status.message, f"a refusal, not {status}")
        self._say(f"   {status.reason}: {status.message}")
        self._kubelet.end(pod)
        await self._node.until_allocatable(PLAIN, 0, CHANGE_SECONDS)
        self._say("   The pod is deleted; a failed card is offered to nobody.")
        self._show_node()
        return card

    async def _the_card_recovers(self, card: str) -> None:
        self._say(f"6. {card} recovers, and is offered again: furiosa-npu-simulator recover DIR {card}")
        self._node.simulation.recover(card)
        await self._node.until_allocatable(ALPHA, 2, CHANGE_SECONDS)
        await self._node.until_allocatable(PLAIN, 1, CHANGE_SECONDS)
        self._show_node()

    def _inside(self, pod: Pod) -> None:
        self._say("7. What a process in npu-pod sees:")
        self._say("")
        answer = self._kubelet.container(pod, pod.containers[0].name)
        view = ContainerView(f"{self._node.folder}/{pod.name}", answer)
        seen = ""
        for words in (["sh", "-c", "echo $NPU_DEVNAME"], ["furiosactl", "info"]):
            printed = view.run(words)
            self._say(f"root@{pod.name}:/# {words[-1] if words[0] == 'sh' else ' '.join(words)}")
            self._say(printed.rstrip("\n"))
            seen += printed
        npu = answer.envs["NPU_NPUNAME"]
        others = {"npu0", "npu1"} - {npu}
        self._expect(
            f"| {npu} |" in seen and not any(other in seen for other in others), f"furiosactl shows {npu} alone"
        )

    async def _run(self, pod: Pod, phase: str) -> None:
        status = await self._kubelet.run(pod)
        self._expect(status.phase == phase, f"pod {pod.name} is {phase}, not {status}")
        self._say(f"   pod {pod.name}: {_told(status)}")

    def _show_node(self) -> None:
        for resource in (ALPHA, PLAIN):
            capacity, allocatable = self._kubelet.capacity(resource), self._kubelet.allocatable(resource)
            self._say(f"   {resource:<21} capacity {capacity}, allocatable {allocatable}")

    def _expect(self, held: bool, what: str) -> None:
        if not held:
            raise StepFailed(f"expected: {what}")


def _pod(name: str, resource: str) -> Pod:
    return Pod(f"uid-{name}", name, (Container("main", {resource: 1}),))


def _told(status: PodStatus) -> str:
    return " · ".join(text for text in status if text)
