"""The folders of device files: without them no card is shown, and that has to be said."""

import os

from furiosa_npu.hardware.devfs import list_device_files
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reading import FAMILIES, Problem


def unseen(devfs: str) -> tuple[str, ...]:
    """Why cards may be missing: the devfs root is not there, or it or a family's folder in it cannot be listed."""
    problems: list[Problem] = []
    for family in FAMILIES:
        list_device_files(Files(), devfs, family, problems)
    if not problems and not os.path.isdir(devfs):
        problems.append(Problem(devfs, "no such folder", "the folder with the NPUs' device files (--devfs-root)"))
    return tuple(str(problem) for problem in problems)
