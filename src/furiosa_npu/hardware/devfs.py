"""Device files: `/dev/npu{i}*` (Warboy) and `/dev/rngd/npu{i}*` (Renegade)."""

import os
import stat

from furiosa_npu.hardware.device_names import DeviceName, order, parse_device_name
from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import DeviceFile, Family, Problem


def list_device_files(
    files: Files, devfs: str, family: Family, problems: list[Problem]
) -> dict[int, tuple[DeviceFile, ...]]:
    """A family's device files by card number, in the order of `DeviceFile`s in a reading.

    Under /dev only character devices count; under another root a plain file stands for a device. A folder that cannot
    be listed is put into `problems`.
    """
    folder = TRAITS[family].device_folder
    try:
        names = files.names(f"{devfs}/{folder}".rstrip("/") or "/")
    except FileProblem as problem:
        problems.append(problem.problem)
        return {}
    found: dict[int, list[tuple[str, DeviceName, DeviceFile]]] = {}
    for name in names:
        device = parse_device_name(family, name)
        if device is None:
            continue
        file = _device_file(files, devfs, f"{folder}/{name}" if folder else name, device)
        if file is not None:
            found.setdefault(device.index, []).append((name, device, file))
    return {
        index: tuple(file for _, _, file in sorted(of_card, key=lambda entry: order(entry[0], entry[1])))
        for index, of_card in sorted(found.items())
    }


def still_there(files: Files, devfs: str, device_files: tuple[DeviceFile, ...]) -> tuple[DeviceFile, ...]:
    """Those that still are, with their numbers of now; what came since is for the next listing."""
    looked = []
    for file in device_files:
        is_device, number = _looked_at(files, devfs, file.path)
        if is_device:
            looked.append(file if number == file.device_number else file._replace(device_number=number))
    return tuple(looked)


def _device_file(files: Files, devfs: str, path: str, device: DeviceName) -> DeviceFile | None:
    is_device, number = _looked_at(files, devfs, path)
    return DeviceFile(path, device.kind, device.first_pe, device.last_pe, number) if is_device else None


def _looked_at(files: Files, devfs: str, path: str) -> tuple[bool, tuple[int, int] | None]:
    """Whether the file is, or stands for, a device; and its number."""
    kind = files.kind(f"{devfs}/{path}")
    if kind is None:
        return False, None  # it went between the listing and the look
    if stat.S_ISCHR(kind.st_mode):
        return True, (os.major(kind.st_rdev), os.minor(kind.st_rdev))
    return os.path.normpath(devfs) != "/dev" and stat.S_ISREG(kind.st_mode), None
