"""What the text of a driver's file means. Each takes text and opens nothing; ValueError says what was expected.

A number that no register or kernel variable holds is no number: what is wider would be cut off further on.
"""

import re

_DECIMAL = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,20}", re.ASCII)
_PCI_BDF = re.compile(r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]", re.ASCII)
_DEVICE_NUMBER = re.compile(r"[0-9]{1,10}:[0-9]{1,10}", re.ASCII)
_COUNTER = re.compile(r"(.+?)\s*:\s*([0-9]{1,20})", re.ASCII)
_PE_GROUP = re.compile(r"[0-9]{1,3}(?:-[0-9]{1,3})?", re.ASCII)
_HEX_LINE = re.compile(r"([A-Za-z0-9_ ]+?)\s*:\s*0x([0-9a-fA-F]{1,16})", re.ASCII)
_SPEED = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) GT/s(?: PCIe)?", re.ASCII)
_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})(?:[.].*|,.*|$)", re.ASCII)

_U32, _S64, _U64 = 2**32, 2**63, 2**64


def parse_text(text: str) -> str:
    """Any printable text on one line."""
    if not text or not text.isprintable():
        raise ValueError("one line of printable text")
    return text


def parse_int(text: str) -> int:
    """A decimal number, as the kernel's `long` holds it."""
    if _DECIMAL.fullmatch(text) is None or not -_S64 <= int(text) < _S64:
        raise ValueError("a decimal number of 64 bits")
    return int(text)


def parse_seconds(text: str) -> int:
    """`heartbeat`: whole seconds, 0 or more."""
    if _COUNT.fullmatch(text) is None or int(text) >= _U64:
        raise ValueError("whole seconds, 0 or more")
    return int(text)


def parse_alive(text: str) -> bool:
    """Warboy's `alive`."""
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    return text == "1"


def parse_hwtype(text: str) -> str | None:
    """`platform_type`: FuriosaAI is silicon (None), VITIS the FPGA sample u250, HAPS in any case the board haps."""
    if text == "FuriosaAI":
        return None
    if text == "VITIS":
        return "u250"
    if text.lower() == "haps":
        return "haps"
    raise ValueError("FuriosaAI, VITIS or HAPS")


def parse_device_state(text: str, driver_version: str | None) -> bool:
    """Renegade's `device_state` as alive or not.

    The one place that knows: drivers before 2024.2 say 1 for a card that is alive, those since say 0 (the vendor's
    reader of 2024 against furiosa-smi 2026.4.0).
    """
    if text not in ("0", "1"):
        raise ValueError("0 or 1")
    match = None if driver_version is None else _VERSION.match(driver_version)
    if match is None:
        raise ValueError(f"a driver version x.y.z to tell its meaning by, and version says {driver_version!r}")
    old = (int(match.group(1)), int(match.group(2))) < (2024, 2)
    return (text == "1") == old


def parse_pci_bdf(text: str) -> str:
    """`busname`: the PCI address, in lower case as sysfs writes it."""
    if _PCI_BDF.fullmatch(text) is None:
        raise ValueError("a PCI address such as 0000:6d:00.0")
    return text.lower()


def parse_device_number(text: str) -> str:
    """`dev`: major:minor."""
    if _DEVICE_NUMBER.fullmatch(text) is None:
        raise ValueError("major:minor, such as 509:0")
    return text


def parse_counters(text: str) -> tuple[tuple[str, int], ...]:
    """`atr_error`, `ne_clk_freq_info`, `npu_clocks`: lines `name: number`, in the file's order."""
    counters: dict[str, int] = {}
    for line in _lines(text):
        match = _COUNTER.fullmatch(line)
        if match is None or match.group(1) in counters or int(match.group(2)) >= _U64:
            raise ValueError("lines `name: number`, each name once")
        counters[match.group(1)] = int(match.group(2))
    return tuple(counters.items())


def parse_performance_mode(text: str) -> int:
    """`4 (FULL 1)` or `4`: the number, 0 to 5."""
    number, _, name = text.partition(" ")
    named = not name or (name.startswith("(") and name.endswith(")") and name.isprintable())
    if number not in ("0", "1", "2", "3", "4", "5") or not named:
        raise ValueError("a number from 0 to 5 with its name, such as 4 (FULL 1)")
    return int(number)


def parse_throttle_reasons(text: str) -> int:
    """`throttle_reason`: a mask in hexadecimal."""
    digits = text[2:] if text.lower().startswith("0x") else text
    if not digits or len(digits) > 16 or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise ValueError("a mask in hexadecimal")
    return int(digits, 16)


def parse_occupancy(text: str) -> tuple[bool, ...]:
    """`pe_occupancy`: eight lines, a PE each, 0 free and 1 occupied, the number last on its line."""
    flags = [line.split()[-1].rpartition(":")[2] for line in _lines(text) if line]
    if len(flags) != 8 or any(flag not in ("0", "1") for flag in flags):
        raise ValueError("eight lines that end in 0 or 1")
    return tuple(flag == "1" for flag in flags)


def parse_pe_ids(text: str) -> tuple[str, ...]:
    """`cur_pe_ids`: PEs and groups of PEs, `0`, `0-1`."""
    words = text.replace(",", " ").split()
    if any(_PE_GROUP.fullmatch(word) is None for word in words):
        raise ValueError("numbers of PEs and groups of them, such as 0 or 0-1")
    return tuple(words)


def parse_clocks(text: str) -> tuple[tuple[str, int], ...]:
    """`npu_clocks`: a line a PE, `name: number` or the number alone, which then goes by the line's number; Hz."""
    lines = _lines(text)
    if all(_COUNT.fullmatch(line) is not None and int(line) < _U64 for line in lines):
        return tuple((str(number), int(line)) for number, line in enumerate(lines))
    return parse_counters(text)


def parse_perf_regs(text: str) -> dict[str, int]:
    """`perf_regs`: lines `Key: 0xHEX`; the two halves of the cycle counter have 32 bits each."""
    registers: dict[str, int] = {}
    for line in _lines(text):
        match = _HEX_LINE.fullmatch(line)
        if match is None or match.group(1) in registers:
            raise ValueError("lines `Key: 0xHEX`, each key once")
        registers[match.group(1)] = int(match.group(2), 16)
    if "CycleCount" not in registers or "CycleCountHigh" not in registers:
        raise ValueError("lines `Key: 0xHEX`, CycleCount and CycleCountHigh among them")
    if registers["CycleCount"] >= _U32 or registers["CycleCountHigh"] >= _U32:
        raise ValueError("CycleCount and CycleCountHigh of 32 bits each")
    return registers


def parse_numa_node(text: str) -> int | None:
    """`numa_node`: -1 is none; the kernel's `int`."""
    if _DECIMAL.fullmatch(text) is None or not -1 <= int(text) < _U32 // 2:
        raise ValueError("-1 or the number of a NUMA node")
    return None if int(text) == -1 else int(text)


def parse_link_speed(text: str) -> float | None:
    """`current_link_speed`: gigatransfers a second; `Unknown` is the kernel's own word for none."""
    match = _SPEED.fullmatch(text)
    if match is None:
        if text in ("Unknown", "Unknown speed"):
            return None
        raise ValueError("a speed such as 32.0 GT/s PCIe")
    return float(match.group(1))


def _lines(text: str) -> list[str]:
    """The kernel ends lines with a line feed and nothing else; but for tabs, what cannot be printed is no driver's."""
    lines = [line.strip() for line in text.split("\n")]
    if not text.replace("\n", "").replace("\t", "").isprintable():
        raise ValueError("printable text, its lines ended by line feeds")
    return lines
