"""What ResourceSlices and CDI files say, and who may open which PE, as the history has it. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from furiosa_npu.simulator.state import State
from tests.cluster.chaos.records import opened

PARTS = ("card", "pe0", "pe1")
"""of a Warboy, each a device"""
PES_OF_FILES = {1: (0, 1), 2: (0,), 3: (1,), 4: (0, 1)}
"""Of a Warboy's device files, by number among its own: npu0, npu0pe0, npu0pe1, npu0pe0-1; the rest names no PE."""

Offered = dict[str, tuple[str, ...]]
"""For each of PARTS the cards of which it may be claimed."""
NOTHING: Offered = dict.fromkeys(PARTS, ())


def pe_name(card: str, pe: int) -> str:
    """`card`: UUID."""
    return f"{card}/pe{pe}"


def card_of(name: str) -> str:
    """The card of a PE."""
    return name.partition("/")[0]


def pes_opened(devices: Iterable[tuple[int, int]], state: State) -> tuple[str, ...]:
    """The PEs that whoever may open these devices, (major, minor), may use."""
    found = {pe_name(card, pe) for card, file in opened(devices, state) for pe in PES_OF_FILES.get(file, ())}
    return tuple(sorted(found))


def offered(node: str, slices: Sequence[Mapping[str, Any]], state: State) -> Offered | None:
    """What the scheduler may give of the node's cards: devices without a taint. None: the pool is not there whole, so
    nothing, and some slices of it are still to be written.

    `slices`: all ResourceSlices of the driver, as the API has them.
    """
    slices = [one for one in slices if one["spec"].get("nodeName") == node]
    devices = _devices(slices)
    if devices is None:
        return None
    free = {device["name"] for device in devices if not any(map(_keeps_away, device.get("taints", ())))}
    ends = {part: "" if part == "card" else f"-{part}" for part in PARTS}
    known = sorted(card.card.uuid for card in state.cards)
    return {part: tuple(card for card in known if f"npu-{card.lower()}{ends[part]}" in free) for part in PARTS}


def _devices(slices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Of the newest generation; None: not as many slices are of it as each of them says."""
    newest = max((one["spec"]["pool"]["generation"] for one in slices), default=0)
    whole = [one["spec"] for one in slices if one["spec"]["pool"]["generation"] == newest]
    if any(one["pool"]["resourceSliceCount"] != len(whole) for one in whole):
        return None
    return [device for one in whole for device in one.get("devices", ())]


def _keeps_away(taint: Mapping[str, Any]) -> bool:
    return taint["effect"] in ("NoSchedule", "NoExecute")


def pes_given(specification: str, state: State) -> tuple[str, ...]:
    """The PEs whose device files stand in a CDI file's text; none where it is no JSON (it is being written)."""
    try:
        devices = json.loads(specification)["devices"]
    except (ValueError, KeyError):
        return ()
    named = {node["path"] for device in devices for node in device["containerEdits"].get("deviceNodes", ())}
    cards = {card.card.index: card.card.uuid for card in state.cards}
    return tuple(
        sorted(pe_name(uuid, pe) for index, uuid in cards.items() for pe in (0, 1) if named & _files_with(index, pe))
    )


def _files_with(index: int, pe: int) -> set[str]:
    """The device files that use the PE."""
    return {f"/dev/npu{index}{suffix}" for suffix in ("", f"pe{pe}", "pe0-1")}
