"""What a container gets with its cards: device nodes, mounts, environment. Rendered by each plane in its own form."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.pe_form import PeForm, pe_groups, required_files
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import Reading, Roots

FURIOSACTL_IN_CONTAINER = "/usr/bin/furiosactl"


class DeviceNode(NamedTuple):
    host_path: str
    container_path: str


class Mount(NamedTuple):
    """A read-only bind mount."""

    host_path: str
    container_path: str


class ContainerEdits(NamedTuple):
    device_nodes: tuple[DeviceNode, ...]
    mounts: tuple[Mount, ...]
    environment: Mapping[str, str]


def container_edits(
    cards: Sequence[Reading], form: PeForm, roots: Roots, furiosactl_host_path: str | None
) -> ContainerEdits:
    """The edits for `cards`, in the order of their number; every card must have an index and its device files.

    A reading that was restricted to a part of its card stands for that part.
    """
    ordered = sorted(cards, key=lambda card: (card.family, card.index or 0, card.pes or ()))
    files = file_edits(ordered, roots, furiosactl_host_path)
    return files._replace(environment=_environment(ordered, form) | dict(files.environment))


def file_edits(cards: Sequence[Reading], roots: Roots, furiosactl_host_path: str | None) -> ContainerEdits:
    """What of the edits tells the cards' files and where they are, and names no card in the environment."""
    mounts = []
    environment = {}
    if furiosactl_host_path is not None:
        mounts.append(Mount(furiosactl_host_path, FURIOSACTL_IN_CONTAINER))
    if roots.sysfs != "/sys":
        mounts.append(Mount(roots.sysfs, roots.sysfs))
        environment = {"FURIOSA_DEVFS_ROOT": "/dev", "FURIOSA_SYSFS_ROOT": roots.sysfs}
    # Parts of one card share the files that name no PE.
    nodes = dict.fromkeys(
        DeviceNode(f"{roots.devfs.rstrip('/')}/{file.path}", f"/dev/{file.path}")
        for card in cards
        for file in card.device_files
        if file.kind not in TRAITS[card.family].withheld
    )
    return ContainerEdits(tuple(nodes), tuple(mounts), environment)


def _environment(cards: Sequence[Reading], form: PeForm) -> dict[str, str]:
    """The variables of SDK 0.5.0 to 0.10, and FURIOSA_DEVICES of later runtimes."""
    groups = [(card, group) for card in cards for group in pe_groups(card.family, form, card.pes)]
    names = [name for card in cards for name in required_files(card.family, card.index or 0, form, card.pes)]
    return {
        "NPU_DEVNAME": ",".join(names),
        "NPU_NPUNAME": ",".join(dict.fromkeys(card.name for card in cards)),
        "NPU_PENAME": ",".join(f"pe{group}" for _, group in groups),
        "FURIOSA_DEVICES": ",".join(f"npu:{card.index}:{group}" for card, group in groups),
    }
