"""Names of device files of all families (the vendor's drivers): text in, values out.

Warboy, in `/dev`: `npu{i}`, `npu{i}pe{s}`, `npu{i}pe{s}-{e}`, `npu{i}_mgmt`, `npu{i}ch{n}`, `npu{i}_bar{n}`.
Renegade, in `/dev/rngd`: `npu{i}pe{s}`, `npu{i}pe{s}-{e}`, `npu{i}mgmt`, `npu{i}ch{n}`, `npu{i}ch{n}r`, `npu{i}bar{n}`,
`npu{i}dmar`, `npu{i}p2pmem`. Ids are 0 to 255 without leading zeros, s < e.
"""

import re
from typing import NamedTuple

from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import DeviceKind, Family

_NUMBER = r"(0|[1-9][0-9]{0,2})"
_GRAMMARS = {
    "npu0_mgmt": re.compile(
        rf"npu{_NUMBER}(?:pe{_NUMBER}(?:-{_NUMBER})?|(_mgmt)|(ch){_NUMBER}|(_bar){_NUMBER})?", re.ASCII
    ),
    "npu0mgmt": re.compile(
        rf"npu{_NUMBER}(?:pe{_NUMBER}(?:-{_NUMBER})?|(mgmt)|(ch){_NUMBER}r?|(bar){_NUMBER}|(.+))", re.ASCII
    ),
}
_HIGHEST_ID = 255


class DeviceName(NamedTuple):
    """What a device file's name says."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks a name for
    kind: DeviceKind
    first_pe: int | None = None
    last_pe: int | None = None


def parse_device_name(family: Family, name: str) -> DeviceName | None:
    """The meaning of the name alone (`npu0pe0-1`), or None for a file that is none of the family's."""
    names = TRAITS[family].device_names
    match = _GRAMMARS[names].fullmatch(name)
    if match is None:
        return None
    index, first, last, management, channel, _, bar, _ = match.groups()[:8]
    if int(index) > _HIGHEST_ID:
        return None
    if first is not None:
        return _pe(int(index), int(first), int(first if last is None else last), fused=last is not None)
    if management:
        return DeviceName(int(index), "management")
    if channel:
        return DeviceName(int(index), "channel")
    if bar:
        return DeviceName(int(index), "bar")
    if names == "npu0_mgmt":
        return DeviceName(int(index), "card")
    rest = match.group(9)
    if not rest[0].isalpha() and rest[0] != "_":
        return None  # npu0123: the number is another card's, too long to be one
    kinds: dict[str, DeviceKind] = {"dmar": "dma", "p2pmem": "p2pmem"}
    return DeviceName(int(index), kinds.get(rest, "other"))


def _pe(index: int, first: int, last: int, *, fused: bool) -> DeviceName | None:
    if last > _HIGHEST_ID or (fused and first >= last):
        return None
    return DeviceName(index, "fusion" if fused else "pe", first, last)


def order(name: str, device: DeviceName) -> tuple[int, int, int, str]:
    """Sorts a card's files: the whole card, then by width, then by first PE; then the others by name."""
    if device.kind == "card":
        return 0, 0, 0, name
    if device.first_pe is not None and device.last_pe is not None:
        return 1, device.last_pe - device.first_pe, device.first_pe, name
    return 2, 0, 0, name
