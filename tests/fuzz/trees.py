"""Which file of a driver's tree says which fact of a reading, and whether a reading is what its files say.

Written from the drivers' documentation, without the readers' own tables.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from furiosa_npu.hardware.reading import PerfRegs, Reading
from tests.fuzz.formats import FORMATS, Invented, state_format

SYSFS_BYTES = 4096
"""a page: what is longer is no file of sysfs"""
_BY_NAME = {format.name: format for format in FORMATS}


class Said(NamedTuple):
    """A file and the fact that it says."""

    path: str
    of: Callable[[Reading], Any]
    """the fact; None, or an empty tuple: absent"""
    says: Callable[[str, Any], bool]
    says_none: Callable[[str], bool]
    """the text says that there is no such thing"""


def files_of(sysfs: str, card: Reading) -> Iterator[Said]:
    """All documented files that the card's reading, a sound one, is made of."""
    folder = f"{sysfs}/class/" + ("npu_mgmt/npu{}_mgmt" if card.family == "warboy" else "rngd_mgmt/rngd!npu{}mgmt")
    folder = folder.format(card.index)
    for name, (format, fact) in (_COMMON | (_WARBOY if card.family == "warboy" else _RENEGADE)).items():
        yield _said(f"{folder}/{name}", format, _get(fact))
    yield _said(f"{folder}/platform_type", "hwtype", _get("hwtype"))
    family = "Warboy" if card.family == "warboy" else "RNGD"
    yield Said(f"{folder}/device_type", _get("device_type"), lambda text, value: value == text == family, _never)
    for name in ("device_sn", "device_uuid", "fw_version", "dev"):
        format, fact = _MAY_BE_EMPTY[name]
        yield _said(f"{folder}/{name}", format, _get(fact))._replace(says_none=lambda text: not text)
    for registers in card.perf_regs:
        path = f"{sysfs}/class/npu_mgmt/{registers.device}/perf_regs"
        yield Said(path, _registers(registers.device), _says_registers, _never)
    if card.family == "renegade":
        yield Said(f"{folder}/device_state", _get("alive"), state_format(card.driver_version).says, _never)
    yield from _on_the_bus(f"{sysfs}/bus/pci/devices/{card.pci_bdf}", card)


def files_of_now(files: Iterable[Said], before: Reading, card: Reading) -> Iterator[Said]:
    """Those of a sound card's files that count in its reading `card`, when some were made bad since."""
    for said in files:
        if "/bus/pci/devices/" in said.path and card.pci_bdf != before.pci_bdf:
            continue  # `busname` says another device, or none
        if said.path.endswith("/device_state"):
            yield said._replace(says=state_format(card.driver_version).says)  # its meaning turns with `version`
        else:
            yield said


def is_said(said: Said, content: bytes, card: Reading) -> bool:
    """True: the fact is there, and the file says it. False: it is absent, with a problem that names the file, or the
    file says that there is none. Raises Invented."""
    value = said.of(card)
    text = _text(content)
    if value is None or value == ():
        if not (text is not None and said.says_none(text)) and said.path not in {each.path for each in card.problems}:
            raise Invented(f"{said.path}: of {content[:99]!r} there is neither a value nor a problem")
        return False
    if text is None or not said.says(text, value):
        raise Invented(f"{said.path}: {content[:99]!r} became {value!r}")
    return True


def _said(path: str, format_name: str, of: Callable[[Reading], Any]) -> Said:
    format = _BY_NAME[format_name]
    none: Callable[[str], bool] = _never
    if format_name in ("hwtype", "numa_node", "link_speed"):
        none = lambda text: format.says(text, None)  # noqa: E731 - one of three
    elif format_name == "pe_ids":
        none = lambda text: not text.replace(",", " ").strip()  # noqa: E731
    return Said(path, of, format.says, none)


def _never(_text: str) -> bool:
    return False


def _on_the_bus(device: str, card: Reading) -> Iterator[Said]:
    """Looked for only where `busname` says this device."""
    yield _said(f"{device}/numa_node", "numa_node", _get("numa_node"))
    for name, (format, fact) in _LINK.items():
        yield _said(f"{device}/{name}", format, _link(fact))
    (hwmon,) = os.listdir(f"{device}/hwmon")
    for sensor in card.sensors:
        stem = f"{device}/hwmon/{hwmon}/{sensor.kind}{sensor.number}"
        file = f"{stem}_input" if os.path.exists(f"{stem}_input") else f"{stem}_average"
        yield _said(file, "int", _sensor(sensor.kind, sensor.number, "value"))


def _text(content: bytes) -> str | None:
    if len(content) > SYSFS_BYTES or b"\0" in content:
        return None
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        return None


def _get(fact: str) -> Callable[[Reading], Any]:
    return lambda card: getattr(card, fact)


def _link(fact: str) -> Callable[[Reading], Any]:
    return lambda card: None if card.pci_link is None else getattr(card.pci_link, fact)


def _sensor(kind: str, number: int, fact: str) -> Callable[[Reading], Any]:
    def of(card: Reading) -> Any:
        found = (sensor for sensor in card.sensors if (sensor.kind, sensor.number) == (kind, number))
        return getattr(next(found, None), fact, None)

    return of


def _registers(device: str) -> Callable[[Reading], PerfRegs | None]:
    return lambda card: next((registers for registers in card.perf_regs if registers.device == device), None)


def _says_registers(text: str, value: PerfRegs) -> bool:
    """The reading keeps four of the file's keys, two of them in one number."""
    kept = {
        "CycleCountHigh": value.cycles >> 32,
        "CycleCount": value.cycles & 0xFFFFFFFF,
        "TaskExecutionTime": value.task_cycles,
        "TensorExecutionTime": value.tensor_cycles,
    }
    found: dict[str, int | None] = dict.fromkeys(kept)
    for line in text.split("\n"):
        key, _, number = line.partition(":")
        if key.strip() in kept:
            found[key.strip()] = int(number.strip().removeprefix("0x"), 16)
    return found == kept


_COMMON = {
    "platform_type": ("text", "platform_type"),
    "busname": ("pci_bdf", "pci_bdf"),
    "version": ("text", "driver_version"),
    "heartbeat": ("seconds", "heartbeat_seconds"),
    "atr_error": ("counters", "error_counters"),
}
_MAY_BE_EMPTY = {
    "dev": ("device_number", "pci_dev"),
    "device_sn": ("text", "serial"),
    "device_uuid": ("text", "uuid"),
    "fw_version": ("text", "firmware_version"),
}
_WARBOY = {
    "alive": ("alive", "alive"),
    "soc_rev": ("text", "soc_revision"),
    "soc_uid": ("text", "soc_id"),
    "ne_clk_freq_info": ("counters", "clocks"),
    "performance_mode": ("performance_mode", "performance_mode"),
}
_RENEGADE = {
    "board_revision": ("text", "soc_revision"),
    "soc_id": ("text", "soc_id"),
    "npu_clocks": ("clocks", "clocks"),
    "cur_pe_ids": ("pe_ids", "pe_ids"),
    "npu_governor": ("text", "governor"),
    "pe_occupancy": ("occupancy", "pe_occupancy"),
    "throttle_reason": ("throttle", "throttle_reasons"),
}
_LINK = {
    "current_link_width": ("int", "width"),
    "max_link_width": ("int", "max_width"),
    "current_link_speed": ("link_speed", "speed_gts"),
    "max_link_speed": ("link_speed", "max_speed_gts"),
}
