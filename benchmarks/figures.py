"""What a run of the benchmark has measured, as values."""

from typing import NamedTuple

from benchmarks.measurements import Starts
from benchmarks.process_figures import Rest


class PluginFigures(NamedTuple):
    """Of one device plugin."""

    rest: Rest
    starts: Starts
    allocate_seconds: tuple[float, ...]


class Requests(NamedTuple):
    """What came to an API server."""

    reads: int
    writes: int


class Figures(NamedTuple):
    """Of one run, on one machine."""

    pip: PluginFigures
    """ours, as pip leaves it"""
    image: PluginFigures
    """ours, started as in the image"""
    old: PluginFigures
    """the sample plugin of Kubernetes 1.20.2"""
    newest: PluginFigures
    labeller: Rest
    failure_seconds: tuple[float, ...]
    return_seconds: tuple[float, ...]
    idle_minutes: int
    plugins_requests: Requests
    """in those minutes"""
    labellers_requests: Requests
