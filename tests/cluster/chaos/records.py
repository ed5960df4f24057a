"""What the kubelet's checkpoint, the API server's pods and the simulator's record say, as the history has it. Pure."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from furiosa_npu.simulator.state import CardState, State
from tests.cluster.chaos.faults import OCCUPIED
from tests.cluster.chaos.history import Booking, PodSeen


def pod_seen(item: dict[str, Any]) -> PodSeen:
    """A Pod of the API as the history has it."""
    status = item["status"]
    phase = str(status.get("phase", "Unknown"))
    statuses = status.get("containerStatuses", [])
    runs = any("running" in one.get("state", {}) for one in (*statuses, *status.get("initContainerStatuses", [])))
    every = (*item["spec"]["containers"], *item["spec"].get("initContainers", []))
    return PodSeen(
        uid=item["metadata"]["uid"],
        name=item["metadata"]["name"],
        node=item["spec"].get("nodeName", ""),
        phase=phase,
        reason=f"{status.get('reason', '')}: {status.get('message', '')}".strip(": "),
        ended=phase in ("Failed", "Succeeded")
        or ("deletionTimestamp" in item["metadata"] and bool(statuses) and not runs),
        requests=sum(len(one.get("resources", {}).get("limits", {})) for one in every),
        claims=_claims(item),
    )


def _claims(item: dict[str, Any]) -> tuple[str, ...]:
    """Made for its extended resources, made from templates, or there before it."""
    status = item["status"]
    extended = status.get("extendedResourceClaimStatus", {}).get("resourceClaimName")
    made = [one.get("resourceClaimName") for one in status.get("resourceClaimStatuses", ())]
    named = [one.get("resourceClaimName") for one in item["spec"].get("resourceClaims", ())]
    return tuple(dict.fromkeys(name for name in (extended, *made, *named) if name is not None))


class Checkpoint(NamedTuple):
    written_at: float | None
    offered: dict[str, tuple[str, ...]]
    booked: tuple[Booking, ...]


def parse_checkpoint(written_at: float, text: str) -> Checkpoint:
    """`kubelet_internal_checkpoint` of 1.20: `RegisteredDevices` are the healthy ones, by resource."""
    data = json.loads(text)["Data"]
    booked = [
        Booking(
            entry["PodUID"],
            entry["ContainerName"],
            entry["ResourceName"],
            tuple(sorted(card for cards in entry["DeviceIDs"].values() for card in cards)),
        )
        for entry in data["PodDeviceEntries"] or ()
    ]
    offered = {resource: tuple(sorted(cards or ())) for resource, cards in data["RegisteredDevices"].items()}
    return Checkpoint(written_at, offered, tuple(booked))


def device_blocks(state: State) -> dict[str, tuple[int, int]]:
    """UUID to (major, minor // 16) of a Warboy's device files; `simulator.warboy` gives each 16 minors."""
    majors = state.majors["warboy"]
    return {
        card.card.uuid: (majors[card.card.index % len(majors)], card.card.index // len(majors))
        for card in state.cards
        if card.card.family == "warboy"
    }


def cards_opened(devices: Iterable[tuple[int, int]], state: State) -> tuple[str, ...]:
    """UUIDs of the cards of which some of the devices, (major, minor), are."""
    return tuple(sorted({card for card, _ in opened(devices, state)}))


def opened(devices: Iterable[tuple[int, int]], state: State) -> Iterator[tuple[str, int]]:
    """UUID and which of the card's device files it is, for each device that is a card's."""
    cards = {block: uuid for uuid, block in device_blocks(state).items()}
    for major, minor in devices:
        if (major, minor // 16) in cards:
            yield cards[major, minor // 16], minor % 16


def condition(card: CardState, state: State) -> str:
    """What is wrong with it, comma-separated; empty: nothing."""
    words = [str(fault) for fault in card.faults]
    words += [OCCUPIED] if card.holds else []
    words += ["gone"] if not card.present else []
    words += ["driver-unloaded"] if card.card.family in state.unloaded else []
    return ",".join(words)
