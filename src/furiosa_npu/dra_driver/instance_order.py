"""The order in which the driver's instances came to this node: of those that live, the newest one publishes.

    order.join()          this instance is there, as the last of all or at the place that it had
    order.is_newest()     at any time; without `join`, of one that is yet to come
    order.is_alone()      likewise
    order.leave()         another one may be the newest

Each has an empty file in a folder that they share, `<place>-<instance>.instance`, and a lock (flock(2)) on it as long
as it lives: the kernel lets go of that when its holder dies, however it dies. Neither clocks are asked nor process ids,
which two containers need not share. A container that starts anew in its pod has the pod's place, and is no newer.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

KEPT = 8
"""of instances that are gone, the places that they find again"""

_SUFFIX = ".instance"


class _Place(NamedTuple):
    number: int
    """from 1"""
    instance: str

    @property
    def file_name(self) -> str:
        return f"{self.number}-{self.instance}{_SUFFIX}"


class InstanceOrder:
    """One instance's view of it. Each call takes microseconds, for which others wait."""

    def __init__(self, folder: str, instance: str) -> None:
        """`instance`: what no other instance is called."""
        self._folder = folder
        self._own = _Place(0, instance)
        """it stands when this instance left"""
        self._held: int | None = None

    def join(self) -> str | None:
        """From now on until `leave`; where it has joined, its file is there again afterwards. The file, where another
        living process of this name had it before; that is known of the first time alone. Raises OSError.
        """
        with self._decided():
            places = self._places()
            if not self._own.number:
                self._own = _next(places, self._own.instance)
            namesake = self._held is None and self._own in places and self._lives(self._own)
            held = _locked(self._path(self._own), os.O_RDONLY | os.O_CREAT, fcntl.LOCK_SH)
            self.leave()
            self._held = held
            for place in [place for place in places if not self._lives(place)][:-KEPT]:
                os.unlink(self._path(place))
            return self._path(self._own) if namesake else None

    def leave(self) -> None:
        """It is no other's newer one any more."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def is_newest(self) -> bool:
        """No instance that lives came after this one. False also where that cannot be told at the moment."""
        try:
            return self.newer() is None
        except OSError:
            return False

    def is_alone(self) -> bool:
        """No other instance lives. False also where that cannot be told at the moment."""
        try:
            with self._decided():
                others = (place for place in self._places() if place.instance != self._own.instance)
                return not any(map(self._lives, others))
        except OSError:
            return False

    def newer(self) -> str | None:
        """The file of an instance that lives and came after this one. Raises OSError."""
        if not os.path.lexists(self._folder):
            return None  # none has come yet
        with self._decided():
            later = (place for place in self._places() if place > self._own and self._lives(place))
            return next(map(self._path, later), None)

    @contextmanager
    def _decided(self) -> Iterator[None]:
        """One instance at a time. Raises OSError."""
        deciding = _locked(self._folder, os.O_RDONLY | os.O_DIRECTORY, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(deciding)

    def _places(self) -> list[_Place]:
        """In order."""
        return sorted(place for name in os.listdir(self._folder) if (place := _parse(name)) is not None)

    def _lives(self, place: _Place) -> bool:
        """Raises OSError."""
        try:
            os.close(_locked(self._path(place), os.O_RDONLY, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return True
        return False

    def _path(self, place: _Place) -> str:
        return f"{self._folder}/{place.file_name}"


def _next(places: list[_Place], instance: str) -> _Place:
    """The one that it had, or the one behind all others."""
    for place in reversed(places):
        if place.instance == instance:
            return place
    return _Place(places[-1].number + 1 if places else 1, instance)


def _parse(name: str) -> _Place | None:
    """None: no file of an instance."""
    number, _, instance = name.removesuffix(_SUFFIX).partition("-")
    if not instance or not number.isdecimal():
        return None
    place = _Place(int(number), instance)
    return place if place.file_name == name else None


def _locked(path: str, flags: int, kind: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
