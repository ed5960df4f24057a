"""What is prepared on this node: a value. Pure; `prepared_document` puts it into a file and reads it again."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.container_edits import DeviceNode, Mount
from furiosa_npu.allocation.partition import parse_unit_id
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.hardware.reading import FAMILIES, Reading


class PreparedDevice(NamedTuple):
    """One allocated device, as its claim holds it."""

    request: str
    """as allocated: `npu`, or `npu/large` for a subrequest"""
    pool: str
    device: str
    share_id: str | None
    admin_access: bool
    """it looks on, and takes nothing"""
    card_id: str
    """which survives reboots: its UUID, else its PCI address"""
    uuid: str | None
    place: str
    """the card's family and name in this boot, by which its device files go: `warboy npu0`"""
    pes: tuple[int, ...]
    """PEs of the card, in order"""
    device_nodes: tuple[DeviceNode, ...]

    @property
    def held(self) -> "tuple[Pe, ...]":
        """What no other claim may have: its PEs under both names of their card, or nothing where it only looks on."""
        return () if self.admin_access else pes_of(self.card_id, self.place, self.pes)

    @property
    def reading(self) -> Reading | None:
        """What is known of it without its driver; None where `place` is none."""
        family, _, name = self.place.partition(" ")
        number = name.removeprefix("npu")
        if family not in FAMILIES or not number.isdecimal():
            return None
        pes = None if parse_unit_id(self.device)[1] is None else self.pes
        return Reading(family, int(number), management=False, uuid=self.uuid, pes=pes)


class PreparedRequest(NamedTuple):
    """The devices of one request, which a container gets together."""

    name: str
    """without subrequest"""
    devices: tuple[PreparedDevice, ...]
    environment: Mapping[str, str]
    """one for all its devices"""
    mounts: tuple[Mount, ...]


class PreparedClaim(NamedTuple):
    """A claim that was answered, or is about to be."""

    named: ClaimName
    boot_id: str
    """of the boot in which it was prepared: device files and numbers hold for that alone"""
    requests: tuple[PreparedRequest, ...]

    @property
    def devices(self) -> tuple[PreparedDevice, ...]:
        return tuple(device for request in self.requests for device in request.devices)


State = Mapping[str, PreparedClaim]
"""Prepared claims by UID."""


class Pe(NamedTuple):
    """One processing element of one card."""

    card: str
    """its id, or its place"""
    number: int


def pes_of(card_id: str, place: str, numbers: Sequence[int]) -> tuple[Pe, ...]:
    """Under both names: a container opens what has the name it was given, whichever card that is by now, as after a
    driver was loaded anew; and a card that shows no UUID for a while goes by another id.
    """
    return tuple(Pe(card, number) for card in (card_id, place) for number in numbers)


def held_pes(state: State, boot_id: str) -> dict[Pe, ClaimName]:
    """Which PE which claim holds in this boot: nothing runs that was started in another. Admin access holds none."""
    return {
        pe: claim.named
        for claim in state.values()
        if claim.boot_id == boot_id
        for device in claim.devices
        for pe in device.held
    }
