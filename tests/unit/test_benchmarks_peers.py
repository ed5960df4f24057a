"""The table of our agents beside the Go peers."""

import pytest
from benchmarks.peers.figures import DevicePluginPlane, DraPlane, Figures
from benchmarks.peers.table import rows, table
from benchmarks.process_figures import Memory


def _memory(rss_mib: float) -> Memory:
    """A quarter of it anonymous, all but one MiB its own."""
    return Memory(round(rss_mib * 1024), round(rss_mib * 256), round((rss_mib - 1) * 1024))


def _figures(plugin: float = 18, labeller: float = 12, dra_driver: float = 20) -> Figures:
    plane = map(_memory, (plugin, 20, labeller, 32, 20))
    return Figures(DevicePluginPlane(*plane), DraPlane(_memory(dra_driver), _memory(40)))


def test_the_table_has_each_job_with_ours_beside_the_peer() -> None:
    """MiB; the metrics are our two agents' own, and the sum counts each program once."""
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table(_figures()).splitlines()]
    sizes = ["RSS, ours", "Go's", "anonymous, ours", "Go's", "PSS, ours", "Go's"]
    assert [told[0], *told[2:]] == [
        ["job", "ours", "Go's", *sizes, "RSS ratio", "bound", "reached"],
        [
            *("device plugin", "furiosa-npu-plugin", "sample plugin 1.37.2"),
            *("18.0", "20.0", "4.5", "5.0", "17.0", "19.0", "0.90", "", ""),
        ],
        [
            *("labels", "furiosa-npu-labeller", "nfd-worker 0.19.0"),
            *("12.0", "32.0", "3.0", "8.0", "11.0", "31.0", "0.38", "", ""),
        ],
        [
            *("metrics", "by the two above", "node_exporter 1.12.1"),
            *("", "20.0", "", "5.0", "", "19.0", "", "", ""),
        ],
        [
            *("the three jobs", "the two", "the three"),
            *("30.0", "72.0", "7.5", "18.0", "28.0", "69.0", "0.42", "0.5 of Go's", "yes"),
        ],
        [
            *("DRA", "furiosa-npu-dra-driver", "dra-example-driver 0.4.0"),
            *("20.0", "40.0", "5.0", "10.0", "19.0", "39.0", "0.50", "0.5 of Go's", "yes"),
        ],
    ]
    assert len({len(line) for line in table(_figures()).splitlines()}) == 1


@pytest.mark.parametrize(
    ("figures", "job"),
    [
        (_figures(plugin=24.01), "the three jobs"),
        (_figures(dra_driver=20.01), "DRA"),
    ],
)
def test_a_bound_is_missed_by_little_too(figures: Figures, job: str) -> None:
    """And by that job alone."""
    assert [row.job for row in rows(figures) if row.reached is False] == [job]
