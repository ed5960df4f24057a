"""In which form a card's PEs are given to a container: fused, or each on its own."""

from typing import Literal

from furiosa_npu.hardware.families import TRAITS, Family, Span

PeForm = Literal["fused", "single"]

PE_FORMS: tuple[PeForm, ...] = ("fused", "single")

_GROUPS: dict[PeForm, dict[Family, tuple[Span, ...]]] = {
    "fused": {family: traits.widest_groups for family, traits in TRAITS.items()},
    "single": {family: traits.pes for family, traits in TRAITS.items()},
}


def pe_groups(family: Family, form: PeForm, pes: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """The groups that make up the card, as device names and FURIOSA_DEVICES write them: `0-3`, `1`.

    `pes`: of a part of the card that has a device file of its own, its PEs in order.
    """
    if pes is None:
        spans = _GROUPS[form][family]
    else:
        spans = ((pes[0], pes[-1]),) if form == "fused" else tuple((pe, pe) for pe in pes)
    return tuple(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def required_files(family: Family, index: int, form: PeForm, pes: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """Names of the device files that NPU_DEVNAME will name: `npu0pe0-1`; `pes` as of `pe_groups`."""
    return tuple(f"npu{index}pe{group}" for group in pe_groups(family, form, pes))
