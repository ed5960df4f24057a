"""Ours and the Go peers as a table: a row a job, with the bound and whether it is reached. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.cluster import nfd

from benchmarks.markdown import aligned
from benchmarks.peers.figures import Figures
from benchmarks.peers.programs import DRA_EXAMPLE_DRIVER, NODE_EXPORTER
from benchmarks.process_figures import Memory, summed
from benchmarks.sample_plugin import NEWEST

TO_PEERS = 0.5
"""of the peers' resident memory, at most"""
HEAD = (
    *("job", "ours", "Go's"),
    *("RSS, ours", "Go's", "anonymous, ours", "Go's", "PSS, ours", "Go's"),
    *("RSS ratio", "bound", "reached"),
)


class Row(NamedTuple):
    """One job; None where it is done by a program of another row."""

    job: str
    ours: str
    peer: str
    our_memory: Memory | None
    peers_memory: Memory
    bound: str = ""
    reached: bool | None = None
    """None: no bound"""


def table(figures: Figures) -> str:
    """Markdown; memory in MiB."""
    alignment = ["---"] * 3 + ["---:"] * 7 + ["---"] * 2
    return aligned([HEAD, alignment, *map(_cells, rows(figures))])


def rows(figures: Figures) -> list[Row]:
    """Each job, the sum of those that the device plugin's plane has, and the DRA driver."""
    plane, dra = figures
    ours = summed((plane.plugin, plane.labeller))
    peers = summed((plane.sample_plugin, plane.nfd_worker, plane.node_exporter))
    return [
        Row("device plugin", "furiosa-npu-plugin", f"sample plugin {NEWEST}", plane.plugin, plane.sample_plugin),
        Row("labels", "furiosa-npu-labeller", f"nfd-worker {nfd.NUMBER}", plane.labeller, plane.nfd_worker),
        Row("metrics", "by the two above", f"node_exporter {NODE_EXPORTER.number}", None, plane.node_exporter),
        _half("the three jobs", "the two", "the three", ours, peers),
        _half("DRA", "furiosa-npu-dra-driver", f"dra-example-driver {DRA_EXAMPLE_DRIVER.number}", *dra),
    ]


def _half(job: str, ours: str, peer: str, our_memory: Memory, peers_memory: Memory) -> Row:
    reached = our_memory.rss <= TO_PEERS * peers_memory.rss
    return Row(job, ours, peer, our_memory, peers_memory, f"{TO_PEERS:g} of Go's", reached)


def _cells(row: Row) -> list[str]:
    pairs = zip(row.our_memory or (None,) * 3, row.peers_memory, strict=True)
    ratio = f"{row.our_memory.rss / row.peers_memory.rss:.2f}" if row.our_memory else ""
    reached = {True: "yes", False: "no", None: ""}[row.reached]
    return [row.job, row.ours, row.peer, *_mib(size for pair in pairs for size in pair), ratio, row.bound, reached]


def _mib(sizes: Iterable[int | None]) -> list[str]:
    return ["" if size is None else f"{size / 1024:.1f}" for size in sizes]
