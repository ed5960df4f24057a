"""The figures as Markdown: phases side by side, a row a figure, then a row a kind of request. Pure."""

from collections.abc import Sequence

from benchmarks.scale.rates import LONG_SECONDS, Load, Rate


def table(loads: Sequence[Load]) -> str:
    """Of a kind of request: how many, and how many in its busiest second."""
    kinds = sorted({kind for load in loads for kind in load.by_kind})
    lines = [
        ["", *(load.phase.name for load in loads)],
        ["seconds", *(f"{load.seconds:.0f}" for load in loads)],
        ["all nodes as wanted after, s", *map(_settled, loads)],
        ["requests", *(str(load.total.requests) for load in loads)],
        ["a second, mean", *(f"{load.total.requests / load.seconds:.1f}" for load in loads)],
        ["a second, peak", *(str(load.total.peak) for load in loads)],
        ["a second, mean of the busiest ten", *(f"{_busiest(load):.0f}" for load in loads)],
        ["answered in, p99 ms", *(_milliseconds(load) for load in loads)],
        ["answered with 4xx or 5xx", *(str(load.failed) for load in loads)],
        *([f"`{kind}`", *(_rate(load.by_kind.get(kind)) for load in loads)] for kind in kinds),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join("| " + " | ".join(_padded(line, widths)) + " |" for line in lines)


def herd(spread: Load, at_once: Load) -> str:
    """How much of a peak the jitter takes."""
    lines = ["After the API server's return:"]
    for what, calm, storm in (
        ("second", spread.total.peak, at_once.total.peak),
        ("ten seconds", _busiest(spread), _busiest(at_once)),
    ):
        ratio = f"{storm / calm:.1f}" if calm else "inf"
        lines.append(
            f"the busiest {what}: {calm:.0f} requests a second with jitter, {storm:.0f} without, {ratio} times"
        )
    return "\n".join(lines)


def _busiest(load: Load) -> float:
    """Requests a second."""
    return load.total.long_peak / LONG_SECONDS


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(cells, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def _settled(load: Load) -> str:
    return "" if load.phase.settled_seconds is None else f"{load.phase.settled_seconds:.1f}"


def _milliseconds(load: Load) -> str:
    return f"{1000 * load.p99_seconds:.0f}" if load.total.requests else ""


def _rate(rate: Rate | None) -> str:
    return "" if rate is None else f"{rate.requests} (peak {rate.peak})"
