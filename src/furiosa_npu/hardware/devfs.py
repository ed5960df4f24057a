"""Device files: `/dev/npu{i}*` (Warboy) and `/dev/rngd/npu{i}*` (Renegade)."""

import os
import stat

from furiosa_npu.hardware.device_names import RENEGADE_FOLDER, DeviceName, order, parse_device_name
from furiosa_npu.hardware.driver_file import FileProblem, list_names
from furiosa_npu.hardware.reading import DeviceFile, Family, Problem

_FOLDERS: dict[Family, str] = {"warboy": "", "renegade": f"{RENEGADE_FOLDER}/"}


def list_device_files(devfs: str, family: Family, problems: list[Problem]) -> dict[int, tuple[DeviceFile, ...]]:
    """A family's device files by card number, in the order of `DeviceFile`s in a reading.

    Under /dev only character devices count; under another root a plain file stands for a device. A folder that cannot
    be listed is put into `problems`.
    """
    folder = _FOLDERS[family]
    try:
        names = list_names(f"{devfs}/{folder}".rstrip("/") or "/")
    except FileProblem as problem:
        problems.append(problem.problem)
        return {}
    found: dict[int, list[tuple[str, DeviceName, DeviceFile]]] = {}
    for name in names:
        device = parse_device_name(family, name)
        if device is None:
            continue
        file = _device_file(devfs, f"{folder}{name}", device)
        if file is not None:
            found.setdefault(device.index, []).append((name, device, file))
    return {
        index: tuple(file for _, _, file in sorted(files, key=lambda entry: order(entry[0], entry[1])))
        for index, files in sorted(found.items())
    }


def _device_file(devfs: str, path: str, device: DeviceName) -> DeviceFile | None:
    try:
        status = os.stat(f"{devfs}/{path}")
    except OSError:
        return None  # it went between the listing and the look
    number = None
    if stat.S_ISCHR(status.st_mode):
        number = (os.major(status.st_rdev), os.minor(status.st_rdev))
    elif os.path.normpath(devfs) == "/dev" or not stat.S_ISREG(status.st_mode):
        return None
    return DeviceFile(path, device.kind, device.first_pe, device.last_pe, number)
