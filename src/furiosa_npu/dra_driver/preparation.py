"""What is prepared for a claim, and what is refused and why. Pure.

A claim's devices are looked at once in a boot, at its first Prepare: what is prepared is then answered from the state.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.container_edits import ContainerEdits
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.dra_driver.claim import Claim, ClaimName, Result
from furiosa_npu.dra_driver.npu_config import NpuConfig
from furiosa_npu.dra_driver.prepared import Pe, PreparedClaim, PreparedDevice, PreparedRequest, State, held_pes, pes_of
from furiosa_npu.hardware.reading import Reading


class Looked(NamedTuple):
    """A device of this node's pool, as its last look showed it."""

    card_id: str
    """the card's id: its UUID, else its PCI address"""
    pes: tuple[int, ...]
    """PEs that make up the device, in order"""
    card: Reading | None
    """restricted to what the device's container gets; None: there is nothing to give"""
    refusal: str | None
    """why it is not idle and good at this moment, or None"""


Looks = Mapping[str, Looked]
"""By the device's name in the pool."""

Edits = Callable[[Sequence[Reading], PeForm], ContainerEdits]
"""What a container gets with these cards, each restricted to its device."""


class Node(NamedTuple):
    """What a preparation has to know of where it is made."""

    pool: str
    """the pool of this node's devices: the node's name"""
    boot_id: str
    pe_form: PeForm
    """where a claim says nothing"""
    edits: Edits


class Refusal(Exception):
    """The message is the reason for the person who reads the pod's events."""


def check_claim(asked: ClaimName, claim: Claim, pool: str) -> tuple[Result, ...]:
    """The devices to prepare, or Refusal: it is another claim, not allocated, reserved for nobody, of another node."""
    found = claim.named
    if found.uid != asked.uid:
        raise Refusal(f"{asked}: the API server has {found.uid} under this name: the claim asked for is gone")
    if claim.results is None:
        raise Refusal(f"{asked} is not allocated")
    if not claim.results:
        raise Refusal(f"{asked} has no device of this driver")
    if not claim.reserved_for:
        raise Refusal(f"{asked} is reserved for nobody")
    strange = [f"{result.device} of pool {result.pool}" for result in claim.results if result.pool != pool]
    if strange:
        raise Refusal(f"{asked}: {', '.join(strange)} is not on this node, whose pool is {pool}")
    return claim.results


def standing(state: State, asked: ClaimName, boot_id: str) -> PreparedClaim | None:
    """The claim as it is prepared in this boot, or None: in another one its cards may have had other numbers."""
    claim = state.get(asked.uid)
    return claim if claim is not None and claim.boot_id == boot_id else None


def check_same(prepared: PreparedClaim, results: Sequence[Result]) -> None:
    """Refusal where a claim is allocated otherwise by now than it is prepared: who was given that holds it yet."""
    held = {(device.request, device.device, device.admin_access) for device in prepared.devices}
    if held != {(result.request, result.device, result.admin_access) for result in results}:
        raise Refusal(
            f"{prepared.named} is prepared with {_listed(device.device for device in prepared.devices)} and by now "
            f"allocated {_listed(result.device for result in results)}: its pods before have not ended on this node"
        )


def prepare(claim: Claim, results: Sequence[Result], looks: Looks, state: State, node: Node) -> PreparedClaim:
    """The claim as it is to be prepared. Raises Refusal, with every reason that there is."""
    reasons = [reason for result in results if (reason := _unfit(result, looks)) is not None]
    reasons += conflicts(claim.named, results, looks, state, node.boot_id)
    if reasons:
        raise Refusal(f"{claim.named}: {'; '.join(reasons)}")
    return assemble(claim, results, looks, node)


def conflicts(named: ClaimName, results: Sequence[Result], looks: Looks, state: State, boot_id: str) -> list[str]:
    """The last line against two claims with one PE, whatever the scheduler thought: why it cannot be prepared."""
    held = held_pes(state, boot_id)
    reasons = []
    taken: dict[Pe, str] = {}
    for result in results:
        looked = looks.get(result.device)
        if looked is None or looked.card is None or result.admin_access:
            continue
        pes = pes_of(looked.card_id, looked.card.key, looked.pes)
        others = dict.fromkeys(held[pe] for pe in pes if pe in held and held[pe].uid != named.uid)
        reasons += [f"{result.device} has PEs that {other} holds on this node" for other in others]
        twice = dict.fromkeys(taken[pe] for pe in pes if pe in taken)
        reasons += [f"{result.device} has PEs of {device}, which the claim has too" for device in twice]
        taken |= dict.fromkeys(pes, result.device)
    return reasons


def assemble(claim: Claim, results: Sequence[Result], looks: Looks, node: Node) -> PreparedClaim:
    """The claim with what its containers get, whatever else is to be said of its devices; each has a card."""
    requests = []
    for name in dict.fromkeys(result.base_request for result in results):
        of_request = [result for result in results if result.base_request == name]
        requests.append(_request(name, of_request, claim.config_of(of_request[0]), looks, node))
    return PreparedClaim(claim.named, node.boot_id, tuple(requests))


def _request(name: str, results: Sequence[Result], config: NpuConfig, looks: Looks, node: Node) -> PreparedRequest:
    form = config.pe_form or node.pe_form
    given: list[tuple[Result, Looked, Reading]] = []
    for result in results:
        looked = looks[result.device]
        if looked.card is not None:
            given.append((result, looked, looked.card))
    given.sort(key=lambda one: (one[2].family, one[2].index or 0, one[1].pes))
    edits = node.edits([card for _, _, card in given], form)
    devices = tuple(
        PreparedDevice(
            request=result.request,
            pool=result.pool,
            device=result.device,
            share_id=result.share_id,
            admin_access=result.admin_access,
            card_id=looked.card_id,
            uuid=card.uuid,
            place=card.key,
            pes=looked.pes,
            device_nodes=node.edits([card], form).device_nodes,
        )
        for result, looked, card in given
    )
    return PreparedRequest(name, devices, {**config.environment, **edits.environment}, edits.mounts)


def _unfit(result: Result, looks: Looks) -> str | None:
    """Admin access takes nothing, so it is no matter who uses the card and how it is, as long as it is there."""
    looked = looks.get(result.device)
    if looked is None:
        return f"{result.device} is no device of this node"
    if looked.card is None:
        return f"{result.device}: {looked.refusal or 'nothing of it is there'}"
    if looked.refusal is not None and not result.admin_access:
        return f"{result.device}: {looked.refusal}"
    return None


def _listed(devices: Iterable[str]) -> str:
    return ", ".join(sorted(devices))
