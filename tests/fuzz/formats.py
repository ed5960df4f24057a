"""The texts of driver files: for each parser, files as they should be, and whether a value is what a text says.

The judges are written without the parsers' regular expressions, from the drivers' documentation: they take texts apart
by hand and compare digits with digits, so that a value which stands nowhere in the text is found.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from furiosa_npu.hardware import parsers

DIGITS = "0123456789"
HEX_DIGITS = DIGITS + "abcdef"
VERSIONS = ("2023.9.0, abc", "2024.1.9", "2024.2.0, abc", "2026.4.0, abc", "1.9.2, 3def9c2", "unknown", "")


class Format(NamedTuple):
    """One kind of file."""

    name: str
    parse: Callable[[str], Any]
    valid: tuple[str, ...]
    says: Callable[[str, Any], bool]
    """the text says this value, and no other"""


class Invented(AssertionError):
    """A parser gave a value that its text does not say."""


def check(format: Format, text: str) -> bool:
    """True: a value, and the text says it; False: ValueError. Raises Invented, and whatever else the parser raises."""
    try:
        value = format.parse(text)
    except ValueError as error:
        if type(error) is not ValueError or not str(error):
            raise Invented(f"{format.name}: {text!r} is refused with {error!r}, expected words") from error
        return False
    if not format.says(text, value):
        raise Invented(f"{format.name}: {text!r} became {value!r}")
    return True


def _number(text: str, digits: str = DIGITS) -> str:
    """The digits without leading zeros; "" where it is no number."""
    text = text.lower() if digits is HEX_DIGITS else text
    return (text.lstrip("0") or "0") if text and all(one in digits for one in text) else ""


def _says_int(text: str, value: Any, least: int = -(2**63), most: int = 2**63 - 1) -> bool:
    sign = "-" if text.startswith("-") else ""
    digits = _number(text.removeprefix("-"))
    written = "0" if digits == "0" else sign + digits
    return type(value) is int and f"{value}" == written and least <= value <= most


def _says_text(text: str, value: Any) -> bool:
    return bool(value == text and text and not any(ord(one) < 32 or ord(one) == 127 for one in text))


def _says_hwtype(text: str, value: Any) -> bool:
    lower = text.lower()
    return bool(value == {"FuriosaAI": None, "VITIS": "u250"}.get(text, "haps")) and (
        text in ("FuriosaAI", "VITIS") or (lower == "haps" and len(text) == 4)
    )


def _says_device_state(version: str) -> Callable[[str, Any], bool]:
    def says(text: str, value: Any) -> bool:
        year, _, rest = version.partition(".")
        month = rest.partition(".")[0].partition(",")[0]
        alive = "1" if (int(year), int(month)) < (2024, 2) else "0"
        return text in ("0", "1") and value is (text == alive)

    return says


def _says_pci_bdf(text: str, value: Any) -> bool:
    domain, bus, rest = text.lower().split(":")
    slot, _, function = rest.partition(".")
    parts = [(domain, 4, 8), (bus, 2, 2), (slot, 2, 2), (function, 1, 1)]
    sizes = all(least <= len(part) <= most and _number(part, HEX_DIGITS) for part, least, most in parts)
    return sizes and int(slot, 16) < 32 and int(function) < 8 and bool(value == text.lower())


def _says_device_number(text: str, value: Any) -> bool:
    major, _, minor = text.partition(":")
    return bool(_number(major) and _number(minor) and value == text)


def _says_pairs(text: str, pairs: Iterable[tuple[str, int]], read: Callable[[str], str]) -> bool:
    """A line each, in order: name, colon, number; no name twice."""
    lines = [line.strip() for line in text.split("\n")]
    pairs = list(pairs)
    if len(pairs) != len(lines) or len({name for name, _ in pairs}) != len(pairs):
        return False
    for (name, value), line in zip(pairs, lines, strict=True):
        before, colon, number = line.rpartition(":")
        if not colon or not name or before.strip() != name or not 0 <= value < 2**64:
            return False
        if read(number.strip()) != f"{value:d}":
            return False
    return True


def _from_hex(number: str) -> str:
    return f"{int(number, 16):d}" if number[:2] == "0x" and _number(number[2:], HEX_DIGITS) else ""


def _says_counters(text: str, value: Any) -> bool:
    return _says_pairs(text, value, _number)


def _says_clocks(text: str, value: Any) -> bool:
    numbers = [_number(line.strip()) for line in text.split("\n")]
    if all(numbers):
        return bool(value == tuple((str(position), int(number)) for position, number in enumerate(numbers))) and all(
            number < 2**64 for _, number in value
        )
    return _says_counters(text, value)


def _says_perf_regs(text: str, value: Any) -> bool:
    halves = value["CycleCount"], value["CycleCountHigh"]
    return all(half < 2**32 for half in halves) and _says_pairs(text, value.items(), _from_hex)


def _says_performance_mode(text: str, value: Any) -> bool:
    rest = text[1:]
    named = not rest.strip(" ") or (rest[:2], rest[-1]) == (" (", ")")
    return text[:1] in tuple("012345") and f"{value}" == text[0] and named


def _says_throttle(text: str, value: Any) -> bool:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    return f"{value:x}" == _number(digits, HEX_DIGITS) and value < 2**64


def _says_occupancy(text: str, value: Any) -> bool:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    ends = [line[-1] for line in lines]
    alone = all(len(line) == 1 or not line[-2].isalnum() for line in lines)
    return alone and ends == ["1" if flag else "0" for flag in value] and len(ends) == 8


def _says_pe_ids(text: str, value: Any) -> bool:
    words = text.replace(",", " ").split()
    return words == list(value) and all(set(word) <= set(DIGITS + "-") for word in words)


def _says_numa_node(text: str, value: Any) -> bool:
    return _says_int(text, -1 if value is None else value, -1, 2**31 - 1) and value != -1


def _says_link_speed(text: str, value: Any) -> bool:
    if value is None:
        return text in ("Unknown", "Unknown speed")
    number, _, unit = text.partition(" ")
    return unit in ("GT/s", "GT/s PCIe") and Decimal(number) == Decimal(str(value))


_ATR_ERROR = "\n".join(
    f"{name}: {number}" for number, name in enumerate(("AXI Post Error", "AXI Doorbell done", "Device Error"))
)
_PERF_REGS = "CycleCountHigh: 0x1\nCycleCount: 0xfffffff0\nTaskExecutionTime: 0x20\nTensorExecutionTime: 0x10"


def state_format(version: str | None) -> Format:
    """`device_state` beside this `version`."""
    return Format(
        f"device_state of {version!r}",
        lambda text: parsers.parse_device_state(text, version),
        ("0", "1"),
        _says_device_state(version or ""),
    )


FORMATS: tuple[Format, ...] = (
    Format("text", parsers.parse_text, ("WBYB0236FH505KREO", "1.6.0, c1bebfd", "B0"), _says_text),
    Format("int", parsers.parse_int, ("0", "-1", "34125", "9223372036854775807"), _says_int),
    Format(
        "seconds",
        parsers.parse_seconds,
        ("14649", "0", "18446744073709551615"),
        lambda text, value: _says_int(text, value, 0, 2**64 - 1),
    ),
    Format("alive", parsers.parse_alive, ("0", "1"), lambda text, value: text == ("1" if value is True else "0")),
    Format("hwtype", parsers.parse_hwtype, ("FuriosaAI", "VITIS", "HAPS", "haps"), _says_hwtype),
    *map(state_format, VERSIONS),
    Format("pci_bdf", parsers.parse_pci_bdf, ("0000:6D:00.0", "0000:6d:00.0", "10000:01:1f.7"), _says_pci_bdf),
    Format("device_number", parsers.parse_device_number, ("509:0", "236:160"), _says_device_number),
    Format(
        "counters", parsers.parse_counters, (_ATR_ERROR, "ne tensor (MHz): 2000\ndram (MT/s): 4266"), _says_counters
    ),
    Format("clocks", parsers.parse_clocks, ("1000\n2000\n" * 3 + "5", "pe0: 1000000000\npe1: 2"), _says_clocks),
    Format("perf_regs", parsers.parse_perf_regs, (_PERF_REGS,), _says_perf_regs),
    Format("performance_mode", parsers.parse_performance_mode, ("4 (FULL 1)", "0"), _says_performance_mode),
    Format("throttle", parsers.parse_throttle_reasons, ("0x84", "1", "0X1f"), _says_throttle),
    Format("occupancy", parsers.parse_occupancy, ("0\n1\n" * 4, "pe0: 1\n" * 8), _says_occupancy),
    Format("pe_ids", parsers.parse_pe_ids, ("0,1,0-1", "0 1 2 3 4 5 6 7"), _says_pe_ids),
    Format("numa_node", parsers.parse_numa_node, ("-1", "0", "1"), _says_numa_node),
    Format("link_speed", parsers.parse_link_speed, ("32.0 GT/s PCIe", "8 GT/s", "Unknown"), _says_link_speed),
)
