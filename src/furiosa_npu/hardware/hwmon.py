"""`/sys/bus/pci/devices/<bdf>/hwmon/hwmon*/`: sensors (Documentation/hwmon/sysfs-interface)."""

import re
from typing import NamedTuple, cast

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.reading import Problem, Sensor, SensorKind, peak_temperature

_VALUE = re.compile(r"(temp|power|curr|in)([0-9]{1,4})_(input|average)", re.ASCII)


class Hwmon(NamedTuple):
    """One card's hwmon folder: its path, empty where there is none, and its sensors by kind and number."""

    folder: str
    sensors: tuple[Sensor, ...]
    averages: frozenset[str]
    """names of the `_average` files that tell the value where there is no `_input`"""


NONE = Hwmon("", (), frozenset())


def read_sensors(files: Files, device: str, problems: list[Problem]) -> Hwmon:
    """All sensors of the PCI device's first hwmon folder.

    `_input` counts before `_average`. A sensor without a label file goes by its number.
    """
    try:
        folders = [name for name in files.names(f"{device}/hwmon") if name.startswith("hwmon")]
        if not folders:
            return NONE
        folder = f"{device}/hwmon/{min(folders, key=_natural)}"
        names = files.names(folder)
    except FileProblem as problem:
        problems.append(problem.problem)
        return NONE
    facts = Facts(files, folder, problems)
    found: dict[tuple[SensorKind, int], str] = {}
    for name in names:
        match = _VALUE.fullmatch(name)
        if match is not None:
            key = (cast(SensorKind, match.group(1)), int(match.group(2)))
            if match.group(3) == "input" or key not in found:
                found[key] = name
    sensors = (_sensor(facts, kind, number, found[kind, number]) for kind, number in sorted(found))
    averages = frozenset(name for name in found.values() if name.endswith("_average"))
    return Hwmon(folder, tuple(sensor for sensor in sensors if sensor is not None), averages)


def read_hot(files: Files, hwmon: Hwmon, problems: list[Problem]) -> tuple[Sensor, ...]:
    """The sensors again, anew those that tell whether the card is too hot: with a critical value, or the peak's."""
    facts = Facts(files, hwmon.folder, problems)
    peak = peak_temperature(hwmon.sensors)
    sensors = []
    for sensor in hwmon.sensors:
        if sensor is peak or (sensor.kind == "temp" and sensor.critical is not None):
            average = f"temp{sensor.number}_average"
            file = average if average in hwmon.averages else f"temp{sensor.number}_input"
            value = facts.required(file, parsers.parse_int)
            if value is None:
                continue
            sensors.append(sensor if value == sensor.value else sensor._replace(value=value))
        else:
            sensors.append(sensor)
    return tuple(sensors)


def _sensor(facts: Facts, kind: SensorKind, number: int, file: str) -> Sensor | None:
    value = facts.required(file, parsers.parse_int)
    stem = file.rpartition("_")[0]
    label = facts.optional(f"{stem}_label", parsers.parse_text)
    critical = facts.optional(f"{stem}_crit", parsers.parse_int) if kind == "temp" else None
    return None if value is None else Sensor(kind, number, label or str(number), value, critical)


def _natural(name: str) -> tuple[int, str]:
    digits = name.removeprefix("hwmon")
    return (int(digits) if digits.isascii() and digits.isdigit() else 1 << 30), name
