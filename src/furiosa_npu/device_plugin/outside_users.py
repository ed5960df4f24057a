"""Processes on the host that have cards open, where they can be seen: who holds a card that no pod of ours has."""

import os
from collections.abc import Callable, Sequence
from functools import partial

from furiosa_npu.device_plugin.patient_reader import PatientReader
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.proc_fd import DeviceUser, find_users, sees_other_processes, users_of
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.hardware.reading import Reading

LOOK_SECONDS = 10.0
"""Between two looks where nothing happens: reading the links of all processes takes milliseconds."""
ALL_LOOKS = 6
"""So often processes are looked at, too, that had no file open before."""
_PROC = "/proc"


class OutsideUsers:
    """Who had which device open at the last look."""

    def __init__(self, devfs: str, reader: PatientReader, clock: Callable[[], float]) -> None:
        self._devfs = devfs
        self._reader = reader
        self._clock = clock
        self._users: tuple[DeviceUser, ...] = ()
        self._looked_at: float | None = None
        self._looks = 0
        self._without_files: set[str] = set()
        self.visible = sees_other_processes(_PROC, os.getpid())

    async def look(self, *, anew: bool) -> None:
        """Looks where it is time to, or `anew`. Where the host's processes cannot be seen, nobody is there."""
        now = self._clock()
        if not self.visible or (not anew and self._looked_at is not None and now - self._looked_at < LOOK_SECONDS):
            return
        self._looked_at = now
        self._looks += 1
        if self._looks % ALL_LOOKS == 0:
            self._without_files = set()
        files = Files()
        files.at = _PROC
        work = partial(find_users, _PROC, self._devfs, os.getpid(), self._without_files)
        answers = await self._reader.ask([Job(_PROC, files, work)])
        self._users = answers.get(_PROC, self._users)

    def of_cards(self, cards: Sequence[Reading]) -> dict[str, tuple[str, ...]]:
        """By the reading's `key`, those cards alone that somebody has open."""
        if not self._users:
            return {}
        return {card.key: users for card in cards if (users := users_of(card, self._users, self._devfs))}
