"""Lists are sent again once, when all has been quiet for a second."""

import asyncio
from collections.abc import Callable
from typing import Any

from furiosa_npu.device_plugin.checkpoint_renewal import QUIET_SECONDS, CheckpointRenewal


class _Timers:
    """What a loop's `call_later` was asked for, under its own clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, Callable[[], Any], _Handle]] = []

    def call_later(self, seconds: float, call: Callable[[], Any]) -> asyncio.TimerHandle:
        handle = _Handle()
        self._waiting.append((self.now + seconds, call, handle))
        return handle

    def go_to(self, now: float) -> None:
        self.now = now
        due = [entry for entry in self._waiting if entry[0] <= now]
        self._waiting = [entry for entry in self._waiting if entry[0] > now]
        for _, call, handle in due:
            if not handle.cancelled():
                call()


class _Handle(asyncio.TimerHandle):
    def __init__(self) -> None:
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True


def _renewal() -> tuple[_Timers, list[float], CheckpointRenewal]:
    timers, sent = _Timers(), list[float]()
    return timers, sent, CheckpointRenewal(lambda: sent.append(timers.now), timers.call_later)


def test_lists_are_sent_again_a_second_after_the_last_that_changed() -> None:
    """Not for each: a list that changes has the kubelet write anew by itself."""
    timers, sent, renewal = _renewal()
    for at in (0.0, 0.5, 1.25):
        timers.go_to(at)
        renewal.list_changed()
    timers.go_to(1.25 + QUIET_SECONDS - 0.01)
    assert sent == []
    timers.go_to(1.25 + QUIET_SECONDS)
    assert sent == [1.25 + QUIET_SECONDS]
    timers.go_to(100.0)
    assert sent == [1.25 + QUIET_SECONDS]


def test_each_quiet_time_has_its_own() -> None:
    timers, sent, renewal = _renewal()
    for at in (0.0, 10.0):
        timers.go_to(at)
        renewal.list_changed()
        timers.go_to(at + QUIET_SECONDS)
    assert sent == [QUIET_SECONDS, 10.0 + QUIET_SECONDS]


def test_nothing_is_sent_again_where_no_list_changed() -> None:
    timers, sent, _ = _renewal()
    timers.go_to(100.0)
    assert sent == []
