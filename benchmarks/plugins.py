"""Both device plugins against one kubelet: from start to Register, and at rest."""

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.process_figures import Memory, Work, memory, work_a_minute
from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.device_plugin.settings import RESOURCES
from furiosa_npu.hardware.reading import Roots

DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"
"""the sample plugin has this place fixed in its code"""
SECONDS_TO_REGISTER = 30.0
SECONDS_TO_SETTLE = 10.0
"""from all devices listed to the figures at rest"""


class Program(NamedTuple):
    """A device plugin: its command, its environment, and what it registers."""

    name: str
    words: tuple[str, ...]
    environment: dict[str, str]
    resources: tuple[str, ...]


class Figures(NamedTuple):
    """What was measured of one plugin."""

    register_seconds: tuple[float, ...]
    """from start to the first Register, one a start"""
    memory: Memory
    idle: Work
    """a minute"""


def ours(words: tuple[str, ...], roots: Roots, folder: Path) -> Program:
    options = (
        *("--devfs-root", roots.devfs, "--sysfs-root", roots.sysfs, "--device-plugins-dir", DEVICE_PLUGINS),
        *("--pod-resources-socket", _pod_resources(folder), "--host-tools-dir", str(folder / "bin")),
        *("--listen-address", "127.0.0.1:0"),
    )
    return Program("furiosa-npu-plugin", (*words, *options), {"PATH": "/usr/bin:/bin"}, RESOURCES)


def samples(program: Path, resource: str) -> Program:
    return Program("sample-device-plugin", (str(program),), {"PLUGIN_SOCK_DIR": DEVICE_PLUGINS}, (resource,))


async def measure(
    programs: Sequence[Program], devices: int, starts: int, idle_seconds: float, folder: Path
) -> list[Figures]:
    """Starts the plugins in turn, `starts` times each and once before for their caches, and then both to stay."""
    kubelet = Kubelet(DEVICE_PLUGINS, _pod_resources(folder), time.monotonic)
    await kubelet.start()
    running: list[subprocess.Popen[bytes]] = []
    times: list[list[float]] = [[] for _ in programs]
    try:
        for _ in range(1 + starts):
            for program, seconds in zip(programs, times, strict=True):
                process, taken = await _start(program, kubelet, devices, folder)
                seconds.append(taken)
                await _stop(process, program, kubelet)
        for program in programs:
            process, _ = await _start(program, kubelet, devices, folder)
            running.append(process)
        await asyncio.sleep(SECONDS_TO_SETTLE)
        pids = [process.pid for process in running]
        idle = await asyncio.to_thread(work_a_minute, pids, idle_seconds)
        memories = [memory(pid) for pid in pids]
    finally:
        for process in running:
            process.kill()
            process.wait()
        await kubelet.stop()
    return [
        Figures(tuple(seconds[1:]), of_process, at_rest)
        for seconds, of_process, at_rest in zip(times, memories, idle, strict=True)
    ]


def median_and_least(seconds: Sequence[float]) -> tuple[float, float]:
    return statistics.median(seconds), min(seconds)


async def _start(
    program: Program, kubelet: Kubelet, devices: int, folder: Path
) -> tuple[subprocess.Popen[bytes], float]:
    """The process, once all its devices are allocatable, and the seconds from its start to its first Register."""
    entered = len(kubelet.journal.calls)
    with open(folder / f"{program.name}.log", "ab") as log:  # noqa: ASYNC230  # a local file
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: ASYNC220  # a fork of microseconds, and its moment is what is measured
            program.words, env=program.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        await kubelet.journal.until(
            lambda: any(call.method == "Register" for call in kubelet.journal.calls[entered:]),
            f"{program.name} registers (its log: {log.name})",
            SECONDS_TO_REGISTER,
        )
        taken = time.monotonic() - started
        await _until_allocatable(kubelet, program, devices)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process, taken


async def _stop(process: subprocess.Popen[bytes], program: Program, kubelet: Kubelet) -> None:
    """Ends it, and returns once the kubelet has seen it end."""
    process.terminate()
    await asyncio.to_thread(process.wait)
    await _until_allocatable(kubelet, program, 0)


async def _until_allocatable(kubelet: Kubelet, program: Program, devices: int) -> None:
    await kubelet.journal.until(
        lambda: all(kubelet.allocatable(resource) == devices for resource in program.resources),
        f"{devices} devices of {program.name} are allocatable",
        SECONDS_TO_REGISTER,
    )


def _pod_resources(folder: Path) -> str:
    return os.path.join(folder, "pod-resources.sock")
