"""`/sys/bus/pci/devices/<bdf>/hwmon/hwmon*/`: sensors (Documentation/hwmon/sysfs-interface)."""

import re
from typing import cast

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.driver_file import FileProblem, list_names
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.reading import Problem, Sensor, SensorKind

_VALUE = re.compile(r"(temp|power|curr|in)([0-9]{1,4})_(input|average)", re.ASCII)


def read_sensors(device: str, problems: list[Problem]) -> tuple[Sensor, ...]:
    """The sensors of the PCI device's first hwmon folder, by kind and number; none where there is no such folder.

    `_input` counts before `_average`. A sensor without a label file goes by its number.
    """
    try:
        folders = [name for name in list_names(f"{device}/hwmon") if name.startswith("hwmon")]
        if not folders:
            return ()
        first = min(folders, key=_natural)
        folder = f"{device}/hwmon/{first}"
        names = list_names(folder)
    except FileProblem as problem:
        problems.append(problem.problem)
        return ()
    facts = Facts(folder, problems)
    files: dict[tuple[SensorKind, int], str] = {}
    for name in names:
        match = _VALUE.fullmatch(name)
        if match is not None:
            key = (cast(SensorKind, match.group(1)), int(match.group(2)))
            if match.group(3) == "input" or key not in files:
                files[key] = name
    sensors = (_sensor(facts, kind, number, files[kind, number]) for kind, number in sorted(files))
    return tuple(sensor for sensor in sensors if sensor is not None)


def _sensor(facts: Facts, kind: SensorKind, number: int, file: str) -> Sensor | None:
    value = facts.required(file, parsers.parse_int)
    stem = file.rpartition("_")[0]
    label = facts.optional(f"{stem}_label", parsers.parse_text)
    critical = facts.optional(f"{stem}_crit", parsers.parse_int) if kind == "temp" else None
    return None if value is None else Sensor(kind, number, label or str(number), value, critical)


def _natural(name: str) -> tuple[int, str]:
    digits = name.removeprefix("hwmon")
    return (int(digits) if digits.isascii() and digits.isdigit() else 1 << 30), name
