"""What the plugin answers over HTTP: `/livez`, `/readyz`, `/status`. Pure but for what it is given."""

from collections.abc import Mapping, Sequence

from furiosa_npu.agent.log import rfc3339
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.watch.kubelet_books import PodRef

STALE_CYCLES = 10
"""A scan that is older than so many cycles: the loop turns, but nothing is read any more."""

HEADER = ("NAME", "UUID", "STATE", "REASON", "SINCE", "POD", "CONTAINER")


def live(turned_at: float, now: float, cycle_seconds: float) -> tuple[int, str]:
    """200 while the loop that looks at the cards comes round, else 503 with what stands still."""
    age, most = now - turned_at, STALE_CYCLES * cycle_seconds
    if age <= most:
        return 200, "ok\n"
    return 503, f"loop: the last turn was {age:.0f} s ago, expected at most {most:.0f} s\n"


def ready(
    troubles: Sequence[tuple[str, str]], scanned_at: float | None, now: float, cycle_seconds: float
) -> tuple[int, str]:
    """Status and body: 200 with `ok`, or 503 with a line for each part that fails."""
    failing = [f"{part}: {reason}" for part, reason in troubles]
    most = STALE_CYCLES * cycle_seconds
    if scanned_at is None:
        failing.append("scan: no card was looked at yet")
    elif now - scanned_at > most:
        failing.append(f"scan: the last one is {now - scanned_at:.0f} s old, expected at most {most:.0f} s")
    return (503, "\n".join(failing) + "\n") if failing else (200, "ok\n")


def status(pool: Pool, containers: Mapping[str, Sequence[PodRef]], started_seconds: float) -> str:
    """A line for each card under a header. `containers` by unit id; `started_seconds`: 1970's, at 0 of the clock."""
    rows = [HEADER, *(_row(unit, containers.get(unit.id, ()), started_seconds) for unit in _in_order(pool))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _in_order(pool: Pool) -> list[Unit]:
    return sorted(pool.values(), key=lambda unit: (FAMILIES.index(unit.card.family), unit.card.index or 0, unit.id))


def _row(unit: Unit, holders: Sequence[PodRef], started_seconds: float) -> tuple[str, ...]:
    verdict = unit.verdict
    reason = "; ".join(filter(None, (verdict.reason, *(warning.text for warning in verdict.warnings))))
    pods = ",".join("/".join(filter(None, (holder.namespace, holder.pod))) for holder in holders)
    containers = ",".join(holder.container for holder in holders)
    since = rfc3339(started_seconds + verdict.since)
    cells = (unit.card.name, unit.id, verdict.state, reason, since, pods, containers)
    return tuple(cell or "-" for cell in cells)
