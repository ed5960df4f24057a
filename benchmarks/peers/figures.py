"""What a run beside the peers has measured, as values."""

from typing import NamedTuple

from benchmarks.process_figures import Memory


class DevicePluginPlane(NamedTuple):
    """Agents at rest beside each other: ours, and the peers of their three jobs."""

    plugin: Memory
    """serves the metrics of cards too"""
    sample_plugin: Memory
    labeller: Memory
    nfd_worker: Memory
    node_exporter: Memory


class DraPlane(NamedTuple):
    """Two drivers at rest beside each other."""

    driver: Memory
    example_driver: Memory


class Figures(NamedTuple):
    """Of one run, on one machine."""

    device_plugin_plane: DevicePluginPlane
    dra_plane: DraPlane
