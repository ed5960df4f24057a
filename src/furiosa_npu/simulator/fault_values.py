"""What a user says of a fault, checked against the card that it is to strike: text in, `Fault` out, or `FaultError`."""

import math
import re
from collections.abc import Callable

from furiosa_npu.simulator.families import MODELS, model_of
from furiosa_npu.simulator.faults import SYSTEM_CALL_ERRORS, Fault, FaultError, kind_of
from furiosa_npu.simulator.nodes import Device, Text, Tree
from furiosa_npu.simulator.state import CardState, pe_suffix

WIDEST_FUSED = {family: pe_suffix(*model.widest[0]) for family, model in MODELS.items()}
WHOLE_CARD = "npu"
"""A Warboy's device file without a suffix, as the value of a fault."""

_MASK = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,8})", re.ASCII)


def read_fault(text: str, card: CardState, tree: Tree) -> Fault:
    """The fault that `NAME` or `NAME=VALUE` means for this card.

    `tree`: the card's files without any fault. Raises `FaultError`, naming what there is.
    """
    kind = kind_of(text)
    value = text.partition("=")[2] or kind.default or ""
    reader = _READERS.get(kind.name)
    return Fault(kind.name) if reader is None else Fault(kind.name, reader(text, value, card, tree))


def _degrees(text: str, value: str, _card: CardState, _tree: Tree) -> str:
    try:
        degrees = float(value)
    except ValueError:
        degrees = math.nan
    if not -273.15 <= degrees <= 1000:
        raise FaultError(text, "a number of degrees Celsius from -273.15 to 1000")
    return f"{degrees:g}"


def _mask(text: str, value: str, _card: CardState, _tree: Tree) -> str:
    match = _MASK.fullmatch(value)
    if match is None:
        raise FaultError(text, "a mask of at most 32 bits in hexadecimal, such as 0x2")
    return f"0x{int(match[1], 16):x}"


def _management_file(text: str, value: str, card: CardState, tree: Tree) -> str:
    folder = f"{model_of(card.card).management(card.card)[0]}/"
    names = sorted(path.removeprefix(folder) for path in tree if path.startswith(folder))
    if value not in names:
        raise FaultError(text, f"FILE one of {', '.join(names)} ({card.card.family})")
    return value


def _readable_file(text: str, value: str, card: CardState, tree: Tree) -> str:
    if value == "perf_regs" and any(path.endswith("/perf_regs") for path in tree):
        return value
    names = {path.rpartition("/")[2] for path, node in tree.items() if isinstance(node, Text)}
    if value == "perf_regs" and value not in names:
        raise FaultError(text, f"a FILE that the driver has ({card.card.family} has no perf_regs)")
    return _management_file(text, value, card, tree)


def _system_call(text: str, value: str, card: CardState, tree: Tree) -> str:
    file, _, errno = value.rpartition(":")
    if errno not in SYSTEM_CALL_ERRORS:
        raise FaultError(text, f"FILE:ERRNO with ERRNO one of {', '.join(SYSTEM_CALL_ERRORS)}")
    return f"{_readable_file(text, file, card, tree)}:{errno}"


def _device_name(text: str, value: str, card: CardState, tree: Tree) -> str:
    wanted = value or WIDEST_FUSED[card.card.family]
    first = model_of(card.card).device_file(card.card, "")
    names = sorted(p.removeprefix(first) or WHOLE_CARD for p, node in tree.items() if isinstance(node, Device))
    name = wanted.removeprefix(card.card.name) or WHOLE_CARD
    if name not in names:
        raise FaultError(text, f"NAME one of {', '.join(names)} ({card.card.family})")
    return name


_READERS: dict[str, Callable[[str, str, CardState, Tree], str]] = {
    "temperature": _degrees,
    "throttling": _mask,
    "device-file-missing": _device_name,
    "malformed": _management_file,
    "empty": _management_file,
    "missing": _management_file,
    "unreadable": _management_file,
    "syscall": _system_call,
    "hang": _readable_file,
    "hang-open": _device_name,
}
