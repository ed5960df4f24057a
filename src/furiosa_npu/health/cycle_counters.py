"""A Warboy's cycle counters over time: `perf_regs` is closed while a PE is unused, and counts while it works."""

from furiosa_npu.hardware.reading import PerfRegs, Reading
from furiosa_npu.health.history import Counter

STILL_SECONDS = 1.5
"""A counter that everyone may read, and that stands still for this long, belongs to a PE at rest. Longer than a cycle
of one second: two readings may fall into one of its steps."""
STILL_SECONDS_WHERE_CLOSED = 0.1
"""The same for a file that its mode closes to everyone and a capability opened: the driver calls the PE unused, and
only a counter that moves says otherwise; at work it counts some 10^8 cycles in this time."""


def next_counters(before: tuple[Counter, ...], reading: Reading | None, now: float) -> tuple[Counter, ...]:
    """The counters of `reading`, each with when its value was first read and whether it is on the move."""
    if reading is None:
        return ()
    known = {counter.device: counter for counter in before}
    return tuple(_next(known.get(regs.device), regs, now) for regs in reading.perf_regs)


def counters_in_use(reading: Reading, counters: tuple[Counter, ...], now: float) -> bool | None:
    """True: one moves. None: one was not read for long enough to tell. False: all stand still, or are closed."""
    if any(counter.moved for counter in counters):
        return True
    patience = {regs.device: _patience(regs) for regs in reading.perf_regs}
    waiting = any(now - counter.since < patience[counter.device] for counter in counters)
    return None if waiting else False


def _next(before: Counter | None, regs: PerfRegs, now: float) -> Counter:
    cycles = regs.cycles
    if before is None:
        return Counter(regs.device, cycles, now, moved=False)
    if before.cycles != cycles:
        # One that goes back was restarted: by the next user where it is open, by the last one's end where it is closed.
        return Counter(regs.device, cycles, now, moved=cycles > before.cycles or regs.mode_allows_reading)
    return before._replace(moved=before.moved and now - before.since < _patience(regs))


def _patience(regs: PerfRegs) -> float:
    return STILL_SECONDS if regs.mode_allows_reading else STILL_SECONDS_WHERE_CLOSED
