"""The active probe: a PE that somebody uses cannot be opened (EBUSY). Opening is exclusive: only for cards at rest."""

import errno
import os

from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reading import Reading, Roots


def busy_files(files: Files, roots: Roots, card: Reading) -> tuple[str, ...] | None:
    """Names of the card's compute files that the driver refused to open, since they are in use; of one PE in use those
    of the groups that it belongs to are among them. Empty: all could be opened.

    None: not probed. EPERM is the device cgroup's answer inside a container, ENXIO that of a number without a driver;
    neither says anything of the card, and what else goes wrong is for the passive signs to tell. Each file is said in
    `files` before it is opened: an open may hang, too.
    """
    answers = {file.name: _try(files, f"{roots.devfs}/{file.path}") for file in card.compute_files}
    busy = tuple(name for name, answer in answers.items() if answer is True)
    return busy if busy or (answers and None not in answers.values()) else None


def _try(files: Files, path: str) -> bool | None:
    files.at = path
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return True if error.errno == errno.EBUSY else None
    return False
