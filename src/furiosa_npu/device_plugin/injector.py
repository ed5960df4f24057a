"""Gives containers their cards, in the way that is set or that the node is found to take."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.agent.log import Log
from furiosa_npu.allocation.cdi_devices import KIND
from furiosa_npu.allocation.container_edits import ContainerEdits
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.cdi.names import qualified
from furiosa_npu.cdi.spec_file import SpecFileError
from furiosa_npu.cdi.specification import SpecificationError
from furiosa_npu.cluster.api import Access, complaint, fate
from furiosa_npu.cluster.ask import ask
from furiosa_npu.cluster.node import get_node_info, node_info_of
from furiosa_npu.cluster.retry import chance, delay_seconds
from furiosa_npu.device_plugin.injection import Injection, lack
from furiosa_npu.device_plugin.node_specification import NodeSpecification, facts
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.npu_pool import Cards, Refused

RETRY_SECONDS = 5.0
"""So long after a specification that could not be written it is tried again."""

_FAILURES = (SpecFileError, SpecificationError)


class ApiNode(NamedTuple):
    """Where to read what runs on this node."""

    access: Access
    name: str
    start_delay_seconds: float = 0.0
    """so long it is not asked (cluster/retry.py): as long, cards reach containers as device files"""


class Injector:
    """Answers for containers, and the CDI specification where they go by it. Made inside a running loop."""

    def __init__(
        self,
        injection: Injection,
        specification: NodeSpecification,
        edits: Callable[[Sequence[Reading]], ContainerEdits],
        node: ApiNode | str,
        until_known: Callable[[], Awaitable[None]],
        conditions: Conditions,
        log: Log,
    ) -> None:
        """`node`: or why it cannot be asked about. `until_known` is awaited before the first specification."""
        self._injection = injection
        self._specification = specification
        self._edits = edits
        self._node = node
        self._until_known = until_known
        self._conditions = conditions
        self._log = log
        self._by_cdi = injection == "cdi"
        self._is_known = False
        self._cards: Mapping[str, Reading] = {}
        self._retry: asyncio.TimerHandle | None = None

    async def decide(self) -> None:
        """Ends once it is known how cards reach containers. Until then, and in doubt, as device files."""
        await self._until_known()
        self._is_known = True
        if self._injection == "auto":
            await self._find_out()
        elif self._by_cdi:
            self._keep()

    def pool_changed(self, pool: Pool) -> None:
        """The specification follows where cards are others than at the last call: a last look may have seen more."""
        before = facts(self._cards)
        self._cards = {unit.id: unit.card for unit in pool.values() if unit.verdict.state != "gone"}
        if self._by_cdi and self._is_known and facts(self._cards) != before:
            self._keep()

    def ready(self, cards: Cards) -> None:
        """Their container can be made now: the specification tells of these cards as they are. Raises Refused."""
        if not self._by_cdi:
            return
        try:
            left_out = self._specification.keep({**self._cards, **cards})
        except _FAILURES as failure:
            self._trouble(failure)
            raise Refused(f"no CDI specification to give a container its NPUs by: {failure}") from failure
        self._conditions.well("cdi")
        reasons = [reason for unit, reason in left_out.items() if unit in cards]
        if reasons:
            raise Refused(f"not in the CDI specification {self._specification.path}: {'; '.join(reasons)}")

    def answer(self, cards: Cards) -> v1beta1.ContainerAllocateResponse:
        """For one container. By CDI the devices bring the mounts; the environment, which names all, comes from here."""
        edits = self._edits([*cards.values()])
        if self._by_cdi:
            names = tuple(v1beta1.CDIDevice(qualified(KIND, unit)) for unit in cards)
            return v1beta1.ContainerAllocateResponse(envs=edits.environment, cdi_devices=names)
        return v1beta1.ContainerAllocateResponse(
            envs=edits.environment,
            mounts=tuple(
                v1beta1.Mount(mount.container_path, mount.host_path, read_only=True) for mount in edits.mounts
            ),
            devices=tuple(v1beta1.DeviceSpec(node.container_path, node.host_path, "rw") for node in edits.device_nodes),
        )

    async def _find_out(self) -> None:
        """Asks the API server what runs on this node, until it says so or refuses to."""
        if isinstance(self._node, str):
            self._log.info("cards reach containers as device files, not by CDI", reason=self._node)
            return
        await asyncio.sleep(self._node.start_delay_seconds)
        request = get_node_info(self._node.name)
        failures = 0
        while True:
            (answer,) = await ask(self._node.access, [request])
            reason = complaint(request, answer)
            if reason is None:
                break
            self._conditions.remark("injection", f"cards reach containers as device files, not by CDI: {reason}")
            if fate(answer) == "refused":
                return
            failures += 1
            await asyncio.sleep(delay_seconds(failures, chance()))
        self._conditions.well("injection")
        self._found(answer.body)

    def _found(self, node_info: object) -> None:
        try:
            info = node_info_of(node_info)
            reason = lack(info)
            if reason is None:
                self._specification.keep(self._cards)
        except (ValueError, *_FAILURES) as failure:
            self._conditions.remark("injection", f"cards reach containers as device files, not by CDI: {failure}")
            return
        if reason is not None:
            self._log.info("cards reach containers as device files, not by CDI", reason=reason)
            return
        self._by_cdi = True
        programs = f"kubelet {info.kubelet_version}, {info.container_runtime_version}"
        self._log.info("cards reach containers by CDI", file=self._specification.path, reason=programs)
        self._keep()

    def _keep(self) -> None:
        try:
            left_out = self._specification.keep(self._cards)
        except _FAILURES as failure:
            self._trouble(failure)
            return
        self._conditions.well("cdi")
        if left_out:
            self._conditions.remark(
                "cdi devices", f"{self._specification.path} leaves out {'; '.join(left_out.values())}"
            )
        else:
            self._conditions.well("cdi devices")

    def _trouble(self, failure: Exception) -> None:
        self._conditions.trouble("cdi", f"{failure}: meanwhile no NPU is handed out")
        if self._retry is not None:
            self._retry.cancel()
        self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._keep)
