"""What a container gets with its cards: device nodes, mounts, environment. Rendered by each plane in its own form."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from furiosa_npu.allocation.pe_form import PeForm, pe_groups, required_files
from furiosa_npu.hardware.reading import COMPUTE_KINDS, DeviceFile, Reading, Roots

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
    """The edits for `cards`, in the order of their number; every card must have an index and its device files."""
    ordered = sorted(cards, key=lambda card: (card.family, card.index or 0))
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
    nodes = tuple(
        DeviceNode(f"{roots.devfs.rstrip('/')}/{file.path}", f"/dev/{file.path}")
        for card in cards
        for file in card.device_files
        if _is_given(card, file)
    )
    return ContainerEdits(nodes, tuple(mounts), environment)


def _is_given(card: Reading, file: DeviceFile) -> bool:
    """Warboy: management, compute files and channels. Renegade: every file of the card."""
    return card.family == "renegade" or file.kind in (*COMPUTE_KINDS, "management", "channel")


def _environment(cards: Sequence[Reading], form: PeForm) -> dict[str, str]:
    """The variables of SDK 0.5.0 to 0.10, and FURIOSA_DEVICES of later runtimes."""
    groups = [(card, group) for card in cards for group in pe_groups(card.family, form)]
    return {
        "NPU_DEVNAME": ",".join(name for card in cards for name in required_files(card.family, card.index or 0, form)),
        "NPU_NPUNAME": ",".join(card.name for card in cards),
        "NPU_PENAME": ",".join(f"pe{group}" for _, group in groups),
        "FURIOSA_DEVICES": ",".join(f"npu:{card.index}:{group}" for card, group in groups),
    }
