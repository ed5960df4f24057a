"""The figures as a table: one row a measure, the agents side by side. Pure."""

from collections.abc import Sequence

from benchmarks.plugins import Figures, median_and_least
from benchmarks.process_figures import Memory, Work


def table(ours: Figures, samples: Figures, labeller: tuple[Memory, Work]) -> str:
    """Markdown; the ratio is ours to the sample plugin's."""
    memories = (ours.memory, samples.memory, labeller[0])
    idle = (ours.idle, samples.idle, labeller[1])
    starts = [median_and_least(figures.register_seconds) for figures in (ours, samples)]
    rows = [
        ["", "furiosa-npu-plugin", "sample plugin (Go)", "ratio", "furiosa-npu-labeller"],
        ["---", "---:", "---:", "---:", "---:"],
        _row("RSS, MiB", [of.rss / 1024 for of in memories]),
        _row("of it anonymous, MiB", [of.rss_anon / 1024 for of in memories]),
        _row("PSS, MiB", [of.pss / 1024 for of in memories]),
        _row("start to Register, median ms", [median * 1000 for median, _ in starts], digits=0),
        _row("start to Register, least ms", [least * 1000 for _, least in starts], digits=0),
        _row("idle: CPU ms a minute", [work.cpu_nanoseconds / 1e6 for work in idle]),
        _row("idle: wake-ups a minute", [work.wake_ups for work in idle], digits=0),
    ]
    return "\n".join(_line(row, rows) for row in rows)


def _row(what: str, values: Sequence[float], digits: int = 1) -> list[str]:
    """`values`: of the plugin, of the sample plugin, and of the labeller where it was measured."""
    ours, samples, *labeller = values
    ratio = f"{ours / samples:.2f}" if samples else "-"
    told = [f"{value:.{digits}f}" for value in (ours, samples)]
    return [what, *told, ratio, *([f"{value:.{digits}f}" for value in labeller] or [""])]


def _line(row: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(other[column]) for other in rows) for column in range(len(row))]
    if row[0] == "---":
        return "|" + "|".join("-" * (width + 1) + (":" if column else "-") for column, width in enumerate(widths)) + "|"
    first, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"| {' | '.join([first, *others])} |"
