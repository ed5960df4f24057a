"""The benchmark's arithmetic and its table."""

import os

import pytest
from benchmarks.plugins import Figures
from benchmarks.process_figures import Memory, Work, memory, parse_sizes, work, work_a_minute
from benchmarks.sample_plugin import OtherSource, with_devices
from benchmarks.table import table

STATUS = "Name:\tpython3.11\nPid:\t12\nVmRSS:\t   17264 kB\nRssAnon:\t   10612 kB\nThreads:\t1\n"


def test_sizes_are_read_in_kib() -> None:
    """Lines without a size are left out."""
    assert parse_sizes(STATUS) == {"VmRSS": 17264, "RssAnon": 10612}


def test_this_process_has_memory_and_has_worked() -> None:
    """The kernel's own files have what is asked of them."""
    mine = memory(os.getpid())
    assert mine.rss > mine.rss_anon > 0
    assert mine.rss >= mine.pss > 0
    assert work(os.getpid()).cpu_nanoseconds > 0
    assert work_a_minute([], 0.001) == []


def test_the_table_has_the_agents_side_by_side() -> None:
    """MiB, milliseconds, and the ratio of the first two."""
    mib = 1024
    ours = Figures((0.09, 0.08, 0.1), Memory(20 * mib, 13 * mib, 18 * mib), Work(250_000_000, 120))
    samples = Figures((0.02, 0.04, 0.01), Memory(25 * mib, 6 * mib, 25 * mib), Work(2_500_000, 0))
    labeller = (Memory(13 * mib, 6 * mib, 11 * mib), Work(400_000, 1))
    assert table(ours, samples, labeller).splitlines() == [
        "|                              | furiosa-npu-plugin | sample plugin (Go) |  ratio | furiosa-npu-labeller |",
        "|------------------------------|-------------------:|-------------------:|-------:|---------------------:|",
        "| RSS, MiB                     |               20.0 |               25.0 |   0.80 |                 13.0 |",
        "| of it anonymous, MiB         |               13.0 |                6.0 |   2.17 |                  6.0 |",
        "| PSS, MiB                     |               18.0 |               25.0 |   0.72 |                 11.0 |",
        "| start to Register, median ms |                 90 |                 20 |   4.50 |                      |",
        "| start to Register, least ms  |                 80 |                 10 |   8.00 |                      |",
        "| idle: CPU ms a minute        |              250.0 |                2.5 | 100.00 |                  0.4 |",
        "| idle: wake-ups a minute      |                120 |                  0 |      - |                    1 |",
    ]


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
