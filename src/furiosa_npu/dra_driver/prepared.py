"""What is prepared on this node: a value. Pure; `prepared_document` puts it into a file and reads it again."""

from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.allocation.container_edits import DeviceNode, Mount
from furiosa_npu.dra_driver.claim import ClaimName


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
    pes: tuple[int, ...]
    """PEs of the card, in order"""
    device_nodes: tuple[DeviceNode, ...]


class PreparedRequest(NamedTuple):
    """The devices of one request, which a container gets together."""

    name: str
    """without subrequest"""
    devices: tuple[PreparedDevice, ...]
    environment: Mapping[str, str]
    """one for all its devices"""
    mounts: tuple[Mount, ...]

    @property
    def device_nodes(self) -> tuple[DeviceNode, ...]:
        """Each once: parts of one card share its management file."""
        return tuple(dict.fromkeys(node for device in self.devices for node in device.device_nodes))


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

    card_id: str
    number: int


def held_pes(state: State, boot_id: str) -> dict[Pe, ClaimName]:
    """Which PE which claim holds in this boot: nothing runs that was started in another. Admin access holds none."""
    return {
        Pe(device.card_id, number): claim.named
        for claim in state.values()
        if claim.boot_id == boot_id
        for device in claim.devices
        if not device.admin_access
        for number in device.pes
    }
