"""The figures as a table: a row a figure, the agents side by side, with the bound and whether it is reached. Pure."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.figures import Figures, PluginFigures
from benchmarks.markdown import aligned
from benchmarks.process_figures import Rest
from benchmarks.sample_plugin import NEWEST, OLD

RSS_TO_OLD = 0.9
ALLOCATE_TO_OLD = 1.5
START_TO_OLD = 3.5
IDLE_CPU_MS = 100.0
FAILURE_SECONDS = 1.5
RETURN_SECONDS = 0.3
LABELLER_RSS_MIB = 12.0
IDLE_MINUTES = 10
"""so long has nothing to be written, for the bound to be shown"""


class Row(NamedTuple):
    """One figure; None where it is not measured of an agent."""

    what: str
    values: tuple[float | None, ...]
    """as pip leaves it, as in the image, the old sample plugin, the newest, the labeller"""
    digits: int = 1
    bound: str = ""
    reached: bool | None = None
    """None: no bound, or one that this run cannot judge"""


def table(figures: Figures) -> str:
    """Markdown; the ratio is that of ours, as pip leaves it, to the old sample plugin."""
    head = ["", "plugin, by pip", "plugin, in the image", f"sample {OLD}", f"sample {NEWEST}", "labeller"]
    alignment = ["---", *["---:"] * len(head), "---", "---"]
    return aligned([[*head, "ratio", "bound", "reached"], alignment, *map(_cells, rows(figures))])


def rows(figures: Figures) -> list[Row]:
    """MiB of memory, milliseconds, wake-ups and seconds, in the order of the table."""
    return [*_at_rest(figures), *_starts(figures), *_allocations(figures), *_reactions(figures)]


def percentile(values: Sequence[float], part: float) -> float:
    """The least value that so large a part of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]


def _at_rest(figures: Figures) -> list[Row]:
    plugins = (figures.pip, figures.image, figures.old, figures.newest)
    rests = (*(plugin.rest for plugin in plugins), figures.labeller)

    def of(what: str, value: Callable[[Rest], float], digits: int = 1) -> Row:
        return Row(what, tuple(map(value, rests)), digits)

    rss = of("RSS, MiB", lambda rest: rest.memory.rss / 1024)
    ours, _, old, newest, labellers = (rest.memory.rss for rest in rests)
    cpu = of("idle: CPU ms a minute", lambda rest: rest.idle.cpu_nanoseconds / 1e6)
    return [
        rss._replace(
            bound=f"{RSS_TO_OLD} of {OLD}'s, and no more than {NEWEST}'s",
            reached=ours <= RSS_TO_OLD * old and ours <= newest,
        ),
        of("of it anonymous, MiB", lambda rest: rest.memory.rss_anon / 1024),
        of("PSS, MiB", lambda rest: rest.memory.pss / 1024),
        Row(
            "labeller at rest, RSS, MiB",
            (*(None,) * 4, labellers / 1024),
            bound=f"{LABELLER_RSS_MIB:g}",
            reached=labellers <= LABELLER_RSS_MIB * 1024,
        ),
        cpu._replace(bound=f"{IDLE_CPU_MS:.0f}", reached=figures.pip.rest.idle.cpu_nanoseconds <= IDLE_CPU_MS * 1e6),
        of("idle: wake-ups a minute", lambda rest: rest.idle.wake_ups, digits=0),
    ]


def _starts(figures: Figures) -> list[Row]:
    plugins = (figures.pip, figures.image, figures.old, figures.newest)
    whole = [1000 * statistics.median(plugin.starts.register) for plugin in plugins]
    bare = [_bare_ms(plugin) for plugin in plugins]
    less = [ms - (alone or 0.0) for ms, alone in zip(whole, bare, strict=True)]
    return [
        _of_plugins("start to Register, median ms", whole),
        _of_plugins("start to Register, least ms", [1000 * min(plugin.starts.register) for plugin in plugins]),
        _of_plugins("bare interpreter, median ms", bare),
        _of_plugins("start to Register less the bare interpreter, ms", less)._replace(
            bound=f"{START_TO_OLD} times {OLD}'s", reached=less[0] <= START_TO_OLD * less[2]
        ),
    ]


def _allocations(figures: Figures) -> list[Row]:
    plugins = (figures.pip, figures.image, figures.old, figures.newest)
    half, most = ([1000 * percentile(of.allocate_seconds, part) for of in plugins] for part in (0.5, 0.99))
    return [
        _of_plugins("Allocate, p50 ms", half, 2),
        _of_plugins("Allocate, p99 ms", most, 2)._replace(
            bound=f"{ALLOCATE_TO_OLD} times {OLD}'s", reached=most[0] <= ALLOCATE_TO_OLD * most[2]
        ),
    ]


def _reactions(figures: Figures) -> list[Row]:
    minutes = f"in {figures.idle_minutes} idle minute{'s' if figures.idle_minutes > 1 else ''}"
    writes = figures.plugins_requests.writes
    judged = figures.idle_minutes >= IDLE_MINUTES or writes > 0
    return [
        _ours_alone(
            "card fails to the new list with the kubelet, median s", statistics.median(figures.failure_seconds)
        ),
        _ours_alone(
            f"the same, worst of {len(figures.failure_seconds)}, s", max(figures.failure_seconds), FAILURE_SECONDS
        ),
        _ours_alone("kubelet back to registered and listed, median s", statistics.median(figures.return_seconds)),
        _ours_alone(
            f"the same, worst of {len(figures.return_seconds)}, s", max(figures.return_seconds), RETURN_SECONDS
        ),
        Row(
            f"API writes {minutes}",
            (writes, None, None, None, figures.labellers_requests.writes),
            0,
            f"0 in {IDLE_MINUTES}",
            writes == 0 if judged else None,
        ),
        Row(
            f"API reads {minutes}",
            (figures.plugins_requests.reads, None, None, None, figures.labellers_requests.reads),
            0,
        ),
    ]


def _of_plugins(what: str, values: Sequence[float | None], digits: int = 0) -> Row:
    return Row(what, (*values, None), digits)


def _ours_alone(what: str, seconds: float, bound: float | None = None) -> Row:
    row = Row(what, (seconds, None, None, None, None), 2)
    return row if bound is None else row._replace(bound=f"{bound:g}", reached=seconds <= bound)


def _bare_ms(plugin: PluginFigures) -> float | None:
    return 1000 * statistics.median(plugin.starts.bare) if plugin.starts.bare else None


def _cells(row: Row) -> list[str]:
    told = ["" if value is None else f"{value:.{row.digits}f}" for value in row.values]
    ours, old = row.values[0], row.values[2]
    ratio = f"{ours / old:.2f}" if ours is not None and old else ""
    return [row.what, *told, ratio, row.bound, {True: "yes", False: "no", None: ""}[row.reached]]
