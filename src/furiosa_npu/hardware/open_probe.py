"""The active probe: a PE that somebody uses cannot be opened (EBUSY). Opening is exclusive: only for cards at rest."""

import errno
import os

from furiosa_npu.hardware.reading import Reading, Roots


def is_busy(roots: Roots, card: Reading) -> bool | None:
    """True: the driver refused to open a compute file of the card, since it is in use; False: all could be opened.

    None: not probed. EPERM is the device cgroup's answer inside a container, ENXIO that of a number without a driver;
    neither says anything of the card, and what else goes wrong is for the passive signs to tell.
    """
    answers = [_try(f"{roots.devfs}/{file.path}") for file in card.compute_files]
    if any(answer is True for answer in answers):
        return True
    return None if not answers or any(answer is None for answer in answers) else False


def _try(path: str) -> bool | None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return True if error.errno == errno.EBUSY else None
    return False
