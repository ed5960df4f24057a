"""Who holds what: claims by the driver's own state, and what pods hold that the device plugin served on this node.

To the watch's cycle it is what the kubelet's books are to the device plugin's. A unit of the device plugin is a card,
by the card's id; here it is named as a device.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from furiosa_npu.allocation.ledger import Given, GivenOf, Holding, Ledger, Observation, nothing_given
from furiosa_npu.allocation.partition import card_unit_id
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedDevice, State
from furiosa_npu.watch.kubelet_books import KubeletBooks, PodRef

ReadState = Callable[[], Awaitable[State | None]]
"""What is prepared, as the file says now; None: it cannot be read."""

EndedPods = Callable[[frozenset[str], frozenset[tuple[str, str]]], Awaitable[frozenset[str]]]
"""Of pods, by UID, those that the API server says are no more or have ended; told of those that the kubelet lists."""


LONGEST_PAUSE_SECONDS = 10.0
"""Between two questions whether a pod has ended that the kubelet's checkpoint alone knows of."""


class Holdings:
    """One node's."""

    def __init__(
        self,
        read_state: ReadState,
        boot_id: str,
        books: KubeletBooks,
        ended_pods: EndedPods,
        resources: Iterable[str],
        pods: Mapping[str, tuple[str, ...]],
        plane_is_ours: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """`resources`: the names under which the device plugin hands out cards; `pods`: by claim's UID for whom it is
        reserved, as far as that is known (`pods train-0`).
        """
        self._pods = pods
        self._plane_is_ours = plane_is_ours
        self._read_state = read_state
        self._boot_id = boot_id
        self._books = books
        self._ended_pods = ended_pods
        self._resources = frozenset(resources)
        self._clock = clock
        self._others: frozenset[Holding] = frozenset()
        self._given_to_others: GivenOf = nothing_given
        self._cards: Mapping[str, str] = {}
        """ids of the cards that others hold, by their units'"""
        self._plane_was_ours = False
        """at the last look"""
        self._others_over = False
        """nothing of the device plugin's is held, and it hands out nothing while this driver has the plane"""
        self._ended: frozenset[str] = frozenset()
        self._running: frozenset[str] = frozenset()
        """the UIDs that were asked about last"""
        self._pause_seconds = 0.0
        self._ask_at = 0.0
        self.known = False
        """the kubelet has said once what pods hold that the device plugin served"""
        self.state: State | None = None
        """as it was last read"""
        self.answered = False
        self.containers: Mapping[Holding, tuple[PodRef, ...]] = {}

    @property
    def other_plane(self) -> frozenset[str]:
        """Ids of the units that pods hold which the device plugin served."""
        return frozenset(holding.unit for holding in self._others)

    @property
    def others_over(self) -> bool:
        """No pod holds what the device plugin served, nor will one before this driver lets go of the plane."""
        return self._others_over

    async def at_start(self) -> Observation:
        return await self.observe(Ledger())

    async def observe(self, _: Ledger) -> Observation:
        """What is held now; what cannot be read leaves all as it was."""
        started_at = self._clock()
        self.state = state = await self._read_state()
        others = await self._look_at_others()
        self.answered = state is not None and self.known
        if state is None or others is None:
            return Observation(started_at, None, None, recorded_is_current=False)
        held = [
            (claim, device)
            for claim in state.values()
            if claim.boot_id == self._boot_id
            for device in claim.devices
            if not device.admin_access
        ]
        claims = {Holding(DRIVER, device.device): self._pods_of(claim) for claim, device in held}
        self.containers = {
            **{
                self._as_unit(holding): pods
                for holding, pods in self._books.containers.items()
                if self._is_npu(holding)
            },
            **claims,
        }
        devices, cards, to_others = {device.device: device for _, device in held}, self._cards, self._given_to_others

        def given(unit: str) -> Given | None:
            if unit in devices:
                return _given(devices[unit])
            return to_others(cards[unit]) if unit in cards else None

        return Observation(started_at, frozenset(claims) | others, frozenset(), recorded_is_current=True, given=given)

    def holders(self, holding: Holding) -> tuple[PodRef, ...]:
        return self.containers.get(holding, ())

    async def _look_at_others(self) -> frozenset[Holding] | None:
        """None: the kubelet does not answer, and never did."""
        if self._others_over:
            return frozenset()
        plane_was_ours = self._plane_is_ours()  # before the kubelet is asked: the device plugin may hand out until then
        if plane_was_ours and not self._plane_was_ours:  # until now a static pod may have run again, under its UID
            self._ended = self._running = frozenset()
        self._plane_was_ours = plane_was_ours
        seen = await self._books.at_start()
        if seen.listed is None or seen.recorded is None:
            return self._others if self.known else None
        listed = frozenset(filter(self._is_npu, seen.listed))
        recorded = frozenset(filter(self._is_npu, seen.recorded)) - listed
        if recorded:
            # As of now: another look may be taken while the API server is asked.
            pods = {one: {ref.pod.removeprefix("uid:") for ref in self._books.recorded[one]} for one in recorded}
            await self._ask_about(frozenset().union(*pods.values()))
            recorded = frozenset(one for one, uids in pods.items() if not uids <= self._ended)
        self._others = frozenset(map(self._as_unit, listed | recorded))
        self._cards = {card_unit_id(holding.unit): holding.unit for holding in listed | recorded}
        self._given_to_others = seen.given if self._cards else nothing_given
        self.known = True
        self._others_over = not self._others and plane_was_ours
        return self._others

    async def _ask_about(self, uids: frozenset[str]) -> None:
        """Whether these pods have ended; what has does not run again, and what has not is asked about ever less often:
        the checkpoint may name it as long as it runs.
        """
        self._ended &= uids
        running, now = uids - self._ended, self._clock()
        if running != self._running:
            self._running, self._pause_seconds = running, 0.0
        elif now < self._ask_at:
            return
        if running:
            self._ended |= await self._ended_pods(running, self._books.pods)
            self._pause_seconds = min(max(1.0, 2 * self._pause_seconds), LONGEST_PAUSE_SECONDS)
            self._ask_at = now + self._pause_seconds

    def _pods_of(self, claim: PreparedClaim) -> tuple[PodRef, ...]:
        """Which containers of them, a claim does not say."""
        consumers = (consumer.split(" ", 1) for consumer in self._pods.get(claim.named.uid, ()))
        return tuple(PodRef(claim.named.namespace, name, "") for kind, name in consumers if kind == "pods")

    def _is_npu(self, holding: Holding) -> bool:
        return holding.resource in self._resources

    @staticmethod
    def _as_unit(holding: Holding) -> Holding:
        return holding._replace(unit=card_unit_id(holding.unit))


def _given(device: PreparedDevice) -> Given:
    files = frozenset(node.container_path.removeprefix("/dev/") for node in device.device_nodes)
    return Given(files, frozenset({device.card_id}), device.reading)
