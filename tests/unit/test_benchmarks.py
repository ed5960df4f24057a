"""The benchmark's arithmetic and its table."""

import os
import subprocess
import sys

import pytest
from benchmarks.figures import Figures, PluginFigures, Requests
from benchmarks.installation import CHECKOUT, IMAGES_ENVIRONMENT
from benchmarks.measurements import Starts
from benchmarks.process_figures import (
    Memory,
    Rest,
    Work,
    at_rest,
    memory,
    parse_reaped_ticks,
    parse_sizes,
    work,
)
from benchmarks.sample_plugin import OtherSource, with_devices
from benchmarks.table import percentile, rows, table
from scripts.checks.bench import asked

STATUS = "Name:\tpython3.11\nPid:\t12\nVmRSS:\t   17264 kB\nRssAnon:\t   10612 kB\nThreads:\t1\n"
MIB = 1024


def test_agents_are_measured_in_the_images_environment() -> None:
    """As the Containerfile sets it, beside PATH."""
    lines = (CHECKOUT / "Containerfile").read_text().splitlines()
    (told,) = (line.removeprefix("ENV ").split() for line in lines if line.startswith("ENV "))
    path, *others = told
    assert (path.partition("=")[0], others) == (
        "PATH",
        [f"{name}={value}" for name, value in IMAGES_ENVIRONMENT.items()],
    )


def test_sizes_are_read_in_kib() -> None:
    """Lines without a size are left out."""
    assert parse_sizes(STATUS) == {"VmRSS": 17264, "RssAnon": 10612}


def test_ended_childrens_time_is_found_behind_any_name() -> None:
    """`cutime` and `cstime` are the 16th and 17th field; a program's name may hold blanks and brackets."""
    fields = " ".join(str(number) for number in range(4, 24))
    assert parse_reaped_ticks(f"12 (a) b (c) S {fields}\n") == 16 + 17


def test_this_process_has_memory_and_has_worked() -> None:
    """The kernel's own files have what is asked of them."""
    mine = memory(os.getpid())
    assert mine.rss > mine.rss_anon > 0
    assert mine.rss >= mine.pss > 0
    assert work(os.getpid()).cpu_nanoseconds > 0
    assert at_rest([], 0.001) == []


def test_children_are_counted() -> None:
    """With a child the family has more memory than without, by the child's own."""
    alone = memory(os.getpid())
    words = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        its, family = memory(child.pid), memory(os.getpid())
        child.communicate(b"\n")
    assert family.rss >= alone.rss // 2 + its.rss > its.rss > 0


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank."""
    hundred = [float(number) for number in range(100, 0, -1)]
    assert [percentile(hundred, part) for part in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.99) == 7.0


def _figures(
    *, ours_mib: int = 18, register: float = 0.09, minutes: int = 10, writes: int = 0, labeller: int = 12 * MIB
) -> Figures:
    def plugin(mib: int, register: float, bare: tuple[float, ...], allocate: float) -> PluginFigures:
        rest = Rest(Memory(mib * MIB, 6 * MIB, mib * MIB), Work(90_000_000, 120))
        return PluginFigures(rest, Starts((register, register + 0.01, register), bare), (allocate,) * 100)

    return Figures(
        plugin(ours_mib, register, (0.02,), 0.0015),
        plugin(17, 0.08, (0.01,), 0.0014),
        plugin(24, 0.02, (), 0.001),
        plugin(20, 0.01, (), 0.0012),
        Rest(Memory(labeller, 6 * MIB, 11 * MIB), Work(400_000, 1)),
        (0.5, 1.4, 0.6),
        (0.1, 0.2),
        minutes,
        Requests(2, writes),
        Requests(0, 0),
    )


def test_the_table_has_the_agents_side_by_side() -> None:
    """MiB, milliseconds, seconds; a cell is empty where an agent has no such figure."""
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(_figures()).splitlines()]
    agents = ["plugin, by pip", "plugin, in the image", "sample 1.20.2", "sample 1.37.2", "labeller"]
    less = "start to Register less the bare interpreter, ms"
    rss = "0.9 of 1.20.2's, and no more than 1.37.2's"
    assert told == [
        ["", *agents, "ratio", "bound", "reached"],
        ["-" * 55, *(f"{'-' * width}:" for width in (15, 21, 14, 14, 9, 6)), "-" * (len(rss) + 2), "-" * 9],
        ["RSS, MiB", "18.0", "17.0", "24.0", "20.0", "12.0", "0.75", rss, "yes"],
        ["of it anonymous, MiB", "6.0", "6.0", "6.0", "6.0", "6.0", "1.00", "", ""],
        ["PSS, MiB", "18.0", "17.0", "24.0", "20.0", "11.0", "0.75", "", ""],
        ["labeller at rest, RSS, MiB", "", "", "", "", "12.0", "", "12", "yes"],
        ["idle: CPU ms a minute", "90.0", "90.0", "90.0", "90.0", "0.4", "1.00", "100", "yes"],
        ["idle: wake-ups a minute", "120", "120", "120", "120", "1", "1.00", "", ""],
        ["start to Register, median ms", "90", "80", "20", "10", "", "4.50", "", ""],
        ["start to Register, least ms", "90", "80", "20", "10", "", "4.50", "", ""],
        ["bare interpreter, median ms", "20", "10", "", "", "", "", "", ""],
        [less, "70", "70", "20", "10", "", "3.50", "3.5 times 1.20.2's", "yes"],
        ["Allocate, p50 ms", "1.50", "1.40", "1.00", "1.20", "", "1.50", "", ""],
        ["Allocate, p99 ms", "1.50", "1.40", "1.00", "1.20", "", "1.50", "1.5 times 1.20.2's", "yes"],
        ["card fails to the new list with the kubelet, median s", "0.60", "", "", "", "", "", "", ""],
        ["the same, worst of 3, s", "1.40", "", "", "", "", "", "1.5", "yes"],
        ["kubelet back to registered and listed, median s", "0.15", "", "", "", "", "", "", ""],
        ["the same, worst of 2, s", "0.20", "", "", "", "", "", "0.3", "yes"],
        ["API writes in 10 idle minutes", "0", "", "", "", "0", "", "0 in 10", "yes"],
        ["API reads in 10 idle minutes", "2", "", "", "", "0", "", "", ""],
    ]
    assert len({len(line) for line in table(_figures()).splitlines()}) == 1


@pytest.mark.parametrize(
    ("figures", "what", "reached"),
    [
        (_figures(ours_mib=21), "RSS, MiB", False),  # under 0.9 of the old one's, over the newest's
        (_figures(labeller=12 * MIB + 1), "labeller at rest, RSS, MiB", False),
        (_figures(register=0.1), "start to Register less the bare interpreter, ms", False),
        (_figures(minutes=1), "API writes in 1 idle minute", None),
        (_figures(minutes=1, writes=1), "API writes in 1 idle minute", False),
        (_figures(writes=1), "API writes in 10 idle minutes", False),
    ],
)
def test_a_bound_is_reached_or_not_or_not_judged(figures: Figures, what: str, reached: bool | None) -> None:
    """One minute without a write says nothing of ten; one write says all."""
    assert {row.what: row.reached for row in rows(figures)}[what] is reached


def test_the_sample_plugin_gets_as_many_devices_as_ours_has_cards() -> None:
    """The rest of its source stays; a source that looks otherwise is not guessed at."""
    source = (
        "devs := []*pluginapi.Device{\n"
        '\t\t{ID: "Dev-1", Health: pluginapi.Healthy},\n'
        '\t\t{ID: "Dev-2", Health: pluginapi.Healthy},\n'
        "\t}\n"
    )
    third = '\t\t{ID: "Dev-3", Health: pluginapi.Healthy},\n\t}\n'
    assert with_devices(source, 3) == source.replace("\t}\n", third)
    with pytest.raises(OtherSource, match="Dev-2"):
        with_devices("devs := nil", 8)


@pytest.mark.parametrize(
    ("argv", "module"),
    [
        ([], ("benchmarks", "1")),
        (["--idle-minutes", "10"], ("benchmarks", "10")),
        (["peers"], ("benchmarks.peers",)),
        (["--idle-minutes", "0"], None),
        (["--idle-minutes", "-1"], None),
        (["--idle-minutes"], None),
        (["--idle-minutes", "1", "2"], None),
        (["peers", "--idle-minutes", "1"], None),
        (["10"], None),
    ],
)
def test_the_arguments_ask_for_one_benchmark(argv: list[str], module: tuple[str, ...] | None) -> None:
    """With as many idle minutes as they say; anything else is wrong use."""
    assert asked(argv) == module
