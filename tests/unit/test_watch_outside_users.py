"""Who has cards open, of a /proc that takes its time: no look is lost, and none is taken that was not asked for."""

import asyncio
import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.hardware.reader_threads import Answer, Batch, Job
from furiosa_npu.hardware.reading import CardUser, DeviceFile
from furiosa_npu.watch.outside_users import ALL_LOOKS, LOOK_SECONDS, OutsideUsers
from furiosa_npu.watch.patient_reader import NoAnswer, PatientReader
from tests.unit.readings import renegade

CARD = renegade(0)
HELD = {CARD.key: (CardUser("process 7 (python3)", (0,)),)}


class SlowReader(PatientReader):
    """Asks as PatientReader does, in one place of a story, where answers come when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.jobs = 0
        self.slow = self.hangs = False
        self._under_way: tuple[Job, float] | None = None
        self._last: Answer | None = None

    async def ask(self, jobs: Sequence[Job]) -> dict[str, Any]:
        if self._under_way is None:
            (job,) = jobs
            self.jobs += 1
            self._under_way = job, self.now
        if not self.slow:
            self.answer()
        return {}

    async def ask_one(self, job: Job) -> Any:
        if self.hangs:
            raise NoAnswer(job.key)
        self.answer()
        self.jobs += 1
        self._under_way = job, self.now
        self.answer()
        assert self._last is not None
        return self._last.result

    def last(self, key: str) -> Answer | None:
        return self._last if self._last is not None and self._last.job.key == key else None

    def answer(self) -> None:
        """What was asked is done now."""
        if self._under_way is not None:
            job, asked_at = self._under_way
            self._last, self._under_way = Answer(job, job.work(), asked_at, Batch(())), None


class Host:
    """A /proc with a process 7, which may have the card open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ran = 70
        (folder / "7" / "fd").mkdir(parents=True)
        (folder / "7" / "comm").write_text("python3\n")
        self.opens("stdin", "/dev/null")
        self.reader = SlowReader()
        self.users = OutsideUsers(
            str(folder / "dev"), self.reader, lambda: self.reader.now, str(folder), lambda _: self.ran
        )
        assert self.users.visible

    def opens(self, descriptor: str, path: str) -> None:
        self.ran += 1
        (self.folder / "7" / "fd" / descriptor).symlink_to(path)

    def takes_the_card(self) -> None:
        path = self.folder / "dev" / CARD.compute_files[0].path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.opens("card", str(path))

    def lets_go(self) -> None:
        self.ran += 1
        os.unlink(self.folder / "7" / "fd" / "card")

    def seen(self, *, anew: bool = False) -> dict[str, tuple[CardUser, ...]]:
        """Who uses cards, after a look."""
        asyncio.run(self.users.look(anew=anew))
        return self.users.of_cards((CARD._replace(device_files=_plain(CARD.device_files)),))

    def failure(self) -> str | None:
        return self.users.failure


def _plain(files: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(file._replace(device_number=None) for file in files)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Nobody uses the card, as a first look shows."""
    host = Host(tmp_path)
    assert host.seen() == {}
    return host


def test_nobody_is_looked_at_before_it_is_time(host: Host) -> None:
    """All processes' links are read every ten seconds where nothing happens."""
    host.takes_the_card()
    host.reader.now += LOOK_SECONDS - 1
    assert host.seen() == {}
    host.reader.now += 1
    assert host.seen() == HELD
    assert host.reader.jobs == 2


def test_a_look_that_comes_late_counts_as_soon_as_it_is_there(host: Host) -> None:
    """In the next cycle, not in the next look; it is not asked for again meanwhile."""
    host.takes_the_card()
    host.reader.now += LOOK_SECONDS
    host.reader.slow = True
    assert host.seen() == {}
    host.reader.now += 1
    assert host.seen() == {}
    host.reader.answer()
    assert host.seen() == HELD
    host.reader.now += LOOK_SECONDS - 2
    assert host.seen() == HELD
    assert host.reader.jobs == 2
    host.reader.now += 1
    host.seen()
    assert host.reader.jobs == 3, "ten seconds after the last one was asked for"


def test_where_late_answers_are_taken_in_proc_is_not_asked_again(host: Host) -> None:
    """It may be slow and tell nothing: each answer would bring a question."""
    host.takes_the_card()
    host.reader.now += LOOK_SECONDS
    host.reader.slow = True
    host.seen()
    host.reader.answer()
    host.reader.now += LOOK_SECONDS
    asyncio.run(host.users.look(anew=False, is_late=True))
    assert (host.users.of_cards((CARD._replace(device_files=_plain(CARD.device_files)),)), host.reader.jobs) == (
        HELD,
        2,
    )


def test_a_look_that_is_wanted_is_waited_for(host: Host) -> None:
    """A process that let go keeps the card not one cycle longer; what was under way at the time does not count."""
    host.takes_the_card()
    assert host.seen(anew=True) == HELD
    host.reader.now += LOOK_SECONDS
    host.reader.slow = True
    assert host.seen() == HELD
    host.lets_go()
    assert host.seen(anew=True) == {}


def test_a_look_that_was_wanted_in_vain_is_taken_later(host: Host) -> None:
    """A /proc that hangs is asked again in the next cycle that it answers in, though no ten seconds have passed."""
    host.takes_the_card()
    host.reader.hangs = host.reader.slow = True
    host.reader.now += 1
    assert (host.seen(anew=True), host.users.is_current) == ({}, False)
    host.reader.answer()
    host.reader.now += 1
    assert (host.seen(), host.users.is_current) == (HELD, True)


def test_a_look_that_is_wanted_passes_nobody_over(host: Host) -> None:
    """What was a kernel's thread may have ended, and a process that opens a card may have its number."""
    os.unlink(host.folder / "7" / "fd" / "stdin")
    host.ran += 1
    (host.folder / "7" / "stat").write_text("7 (kworker/0:0) I 2 0 0 0 -1 69238880 0 0\n")
    host.reader.now += LOOK_SECONDS
    assert host.seen() == {}
    host.takes_the_card()
    host.reader.now += LOOK_SECONDS
    assert host.seen() == {}, "it is passed over for a minute where nothing is known to have happened"
    assert host.seen(anew=True) == HELD


def test_a_process_that_seems_not_to_have_run_is_looked_at_once_a_minute(host: Host) -> None:
    """Another may have its number, and have run as long; and once it is known that something happened."""
    host.takes_the_card()
    host.ran -= 1
    for _ in range(ALL_LOOKS - 2):
        host.reader.now += LOOK_SECONDS
        assert host.seen() == {}
    host.reader.now += LOOK_SECONDS
    assert host.seen() == HELD
    host.lets_go()
    host.ran -= 1
    assert host.seen(anew=True) == {}


@pytest.mark.parametrize("folder", ["", "/7/fd"])
def test_processes_that_cannot_be_listed_are_not_the_end_of_the_agent(
    host: Host, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """No descriptor is to be had for a moment: who was seen last is believed, that is said, and it is looked again."""
    host.takes_the_card()
    assert host.seen(anew=True) == HELD
    host.lets_go()
    listdir = os.listdir

    def crowded(path: str) -> list[str]:
        if path == f"{host.folder}{folder}":
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE), path)
        return listdir(path)

    with monkeypatch.context() as machine:
        machine.setattr(os, "listdir", crowded)
        assert host.seen(anew=True) == HELD
        assert host.failure() == (
            f"{host.folder}{folder}: Too many open files in system: who has cards open is as it was seen before"
        )
    host.reader.now += 1
    assert (host.seen(), host.failure()) == ({}, None)


def test_a_process_that_had_no_file_open_is_seen_within_ten_seconds_too(tmp_path: Path) -> None:
    """As docs/health.md has it of every process outside of pods."""
    files = tmp_path / "7/fd"
    files.mkdir(parents=True)
    (tmp_path / "8/fd").mkdir(parents=True)
    (tmp_path / "8/fd/0").symlink_to("/dev/null")
    device = tmp_path / "npu0pe0"
    device.touch()
    now = 100.0

    async def story() -> Mapping[str, tuple[CardUser, ...]]:
        nonlocal now
        users = OutsideUsers(
            str(tmp_path), PatientReader(2.0, lambda: now), lambda: now, str(tmp_path), lambda _: int(now)
        )
        await users.look(anew=False)
        (files / "3").symlink_to(device)
        now += LOOK_SECONDS
        card = CARD._replace(device_files=(DeviceFile("npu0pe0", "pe", 0, 0, None),))
        async with asyncio.timeout(30):
            while not users.of_cards([card]):  # on a slow machine the look comes late
                await users.look(anew=False)
                await asyncio.sleep(0.001)
        return users.of_cards([card])

    assert asyncio.run(story()) == {CARD.key: (CardUser("process 7 (ended meanwhile)", (0,)),)}
