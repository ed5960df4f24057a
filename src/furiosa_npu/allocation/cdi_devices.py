"""The node's cards as CDI devices: whole cards, which a container runtime gives by name. Pure.

A device carries its card's files, and no variable that names the card: of several devices in one container the last
one's would win. Who hands cards out sets `NPU_*` for all of them together.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from furiosa_npu.allocation.container_edits import ContainerEdits, file_edits
from furiosa_npu.cdi import specification as cdi
from furiosa_npu.cdi.names import EXPECTED_DEVICE_NAME, is_device_name
from furiosa_npu.hardware.reading import FAMILIES, Reading, Roots

KIND = "furiosa.ai/npu"

_MOUNT_OPTIONS = ("ro", "nosuid", "nodev", "rbind", "rprivate")


class NodeDevices(NamedTuple):
    specification: cdi.Specification | None
    """None: there is no card to tell of, and a specification without a device is none"""
    left_out: Mapping[str, str]
    """units that are no device, and why"""


def node_devices(cards: Mapping[str, Reading], roots: Roots, furiosactl_host_path: str | None) -> NodeDevices:
    """Each card, in use or not, under its unit id, and as `npu0` too where one card of the host alone is called so.

    `cards`: all of the host by unit id (`allocation.identity`). The same cards give the same specification.
    """
    names = Counter([*cards, *(card.name for unit, card in cards.items() if card.name != unit)])
    uuids = Counter(card.uuid for card in cards.values())
    devices: list[cdi.Device] = []
    left_out: dict[str, str] = {}
    for unit, card in sorted(cards.items(), key=_place):
        edits = file_edits([card], roots, furiosactl_host_path)
        if card.index is None:
            left_out[unit] = f"{card.name}: no driver has taken it"
        elif card.uuid is not None and uuids[card.uuid] > 1:
            left_out[unit] = f"{card.name}: another card says the UUID {card.uuid} too"
        elif unit == card.name and names[unit] > 1:
            left_out[unit] = f"{card.name}: another card is called so too, and this one has neither UUID nor address"
        elif not is_device_name(unit):
            left_out[unit] = f"{card.name}: its UUID is '{unit}', expected for CDI: {EXPECTED_DEVICE_NAME}"
        elif not edits.device_nodes:
            left_out[unit] = f"{card.name} ({unit}): no device file below {roots.devfs}"
        else:
            known_as = [unit] + [card.name] * (card.name != unit and names[card.name] == 1)
            devices += [cdi.Device(name, to_cdi(edits)) for name in known_as]
    return NodeDevices(cdi.Specification(KIND, tuple(devices)) if devices else None, left_out)


def to_cdi(edits: ContainerEdits) -> cdi.ContainerEdits:
    """As the device plugin's answer has them: device files to read and write, mounts to read."""
    return cdi.ContainerEdits(
        tuple(cdi.DeviceNode(node.container_path, node.host_path, "rw") for node in edits.device_nodes),
        tuple(cdi.Mount(mount.host_path, mount.container_path, _MOUNT_OPTIONS) for mount in edits.mounts),
        edits.environment,
    )


def _place(entry: tuple[str, Reading]) -> tuple[int, int, str]:
    unit, card = entry
    return FAMILIES.index(card.family), card.index or 0, unit
