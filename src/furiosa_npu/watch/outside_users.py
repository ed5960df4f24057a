"""Processes on the host that have cards open, where they can be seen: who holds a card that no pod of ours has."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.proc_fd import DeviceUser, Look, cpu_nanoseconds, find_users, sees_other_processes, users_of
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.hardware.reading import CardUser, Reading
from furiosa_npu.watch.patient_reader import NoAnswer, PatientReader

LOOK_SECONDS = 10.0
"""Between two looks where nothing happens: reading the links of all processes takes milliseconds."""
ALL_LOOKS = 6
"""So often all are looked at, whether they ran or not: a number may be another process' by now."""


class OutsideUsers:
    """Who had which device open at the last look."""

    def __init__(
        self,
        devfs: str,
        reader: PatientReader,
        clock: Callable[[], float],
        proc: str = "/proc",
        cpu_nanoseconds: Callable[[int], int | None] = cpu_nanoseconds,
    ) -> None:
        """`cpu_nanoseconds`: how long a process has run."""
        self._devfs = devfs
        self._reader = reader
        self._clock = clock
        self._proc = proc
        self._cpu_nanoseconds = cpu_nanoseconds
        self._users: tuple[DeviceUser, ...] = ()
        self._looked_at: float | None = None
        self._wanted_at = clock()
        self._count = 0
        self._looks: dict[str, Look] = {}
        self.failure: str | None = None
        """why the last look told nothing, or None; what the one before told is believed then, and looked again"""
        self.visible = sees_other_processes(proc, os.getpid())

    async def look(self, *, anew: bool, is_late: bool = False) -> None:
        """Looks where it is time to, and takes what has come; `anew`: waits for what there is to see from now on;
        `is_late`: takes what has come alone.

        What is not there in time is taken at a later call. Where the host's processes cannot be seen, nobody is there.
        """
        if not self.visible:
            return
        if anew:
            self._wanted_at = self._clock()
            self._looks = {}
            with suppress(NoAnswer):  # then it is due as soon as /proc answers
                await self._reader.ask_one(self._job())
        self._take()
        if self._is_due() and not is_late:
            await self._reader.ask([self._job()])
            self._take()

    @property
    def is_current(self) -> bool:
        """The last look that was wanted anew has told who is there; False while `/proc` has yet to answer."""
        return self._looked_at is not None and self._looked_at >= self._wanted_at

    def _is_due(self) -> bool:
        looked_at = self._looked_at
        return looked_at is None or looked_at < self._wanted_at or self._clock() - looked_at >= LOOK_SECONDS

    def _job(self) -> Job:
        self._count += 1
        if self._count % ALL_LOOKS == 0:
            self._looks = {}
        files = Files()
        files.at = self._proc
        return Job(self._proc, files, partial(self._find, self._looks))

    def _find(self, looks: dict[str, Look]) -> tuple[DeviceUser, ...] | str:
        """Or why nobody could be found."""
        try:
            return find_users(self._proc, self._devfs, os.getpid(), looks, self._cpu_nanoseconds)
        except OSError as error:
            return f"{error.filename or self._proc}: {error.strerror}: who has cards open is as it was seen before"

    def _take(self) -> None:
        answer = self._reader.last(self._proc)
        if answer is not None and isinstance(answer.result, str):
            self.failure, self._looked_at = answer.result, None
        elif answer is not None:
            self.failure, self._users, self._looked_at = None, answer.result, answer.asked_at

    def of_cards(self, cards: Sequence[Reading]) -> dict[str, tuple[CardUser, ...]]:
        """By the reading's `key`, those cards alone that somebody has open."""
        if not self._users:
            return {}
        return {card.key: users for card in cards if (users := users_of(card, self._users, self._devfs))}
