"""The device plugins: how each is started against a kubelet, and what ends it."""

import asyncio
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.running import PLAIN, Program
from benchmarks.sample_plugin import NEWEST, NEWEST_RESOURCE, OLD, OLD_RESOURCE, Samples
from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.watch.options import RESOURCES

DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"
"""the sample plugin has this place fixed in its code"""
NODE = "warboy-node01"
SECONDS_TO_REGISTER = 30.0


class Place(NamedTuple):
    """The folder of a kubelet's sockets, and a folder for what a plugin writes."""

    device_plugins: str
    folder: Path

    @property
    def pod_resources(self) -> str:
        return f"{self.folder}/pod-resources.sock"


def ours(
    name: str,
    words: tuple[str, ...],
    interpreter: tuple[str, ...],
    roots: Roots,
    place: Place,
    kubeconfig: str,
    environment: dict[str, str],
    port: int = 0,
) -> Program:
    """`environment`: beside PATH. `port`: where it answers over HTTP on loopback; 0: any."""
    options = (
        *("--devfs-root", roots.devfs, "--sysfs-root", roots.sysfs, "--device-plugins-dir", place.device_plugins),
        *("--pod-resources-socket", place.pod_resources, "--host-tools-dir", f"{place.folder}/bin"),
        *("--state-dir", f"{place.folder}/state", "--listen-address", f"127.0.0.1:{port}"),
        *("--node-name", NODE, "--kubeconfig", kubeconfig),
    )
    return Program(name, (*words, *options), PLAIN | environment, RESOURCES, (*interpreter, "-c", "pass"))


def samples(programs: Samples) -> tuple[Program, Program]:
    """The old one and the newest."""
    return _sample(OLD, programs.old, OLD_RESOURCE), newest_sample(programs.newest)


def newest_sample(program: Path) -> Program:
    return _sample(NEWEST, program, NEWEST_RESOURCE)


def _sample(number: str, program: Path, resource: str) -> Program:
    return Program(f"sample-{number}", (str(program),), {"PLUGIN_SOCK_DIR": DEVICE_PLUGINS}, (resource,))


async def start_kubelet(place: Place) -> Kubelet:
    """A stand-in that serves; its folders are made."""
    os.makedirs(place.device_plugins)
    os.makedirs(place.folder, exist_ok=True)
    kubelet = Kubelet(place.device_plugins, place.pod_resources, time.monotonic)
    await kubelet.start()
    return kubelet


class Started(NamedTuple):
    process: subprocess.Popen[bytes]
    register_seconds: float
    """from its start to its first Register"""


async def start(program: Program, kubelet: Kubelet, devices: int, logs: Path) -> Started:
    """Returns once all its devices are allocatable."""
    entered = len(kubelet.journal.calls)
    with open(logs / f"{program.name}.log", "ab") as log:  # noqa: ASYNC230  # a local file
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
        await until_allocatable(kubelet, program, devices)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return Started(process, taken)


async def stop(process: subprocess.Popen[bytes], program: Program, kubelet: Kubelet) -> None:
    """Ends it, and returns once the kubelet has seen it end."""
    process.terminate()
    await asyncio.to_thread(process.wait)
    await until_allocatable(kubelet, program, 0)


async def until_allocatable(kubelet: Kubelet, program: Program, devices: int) -> None:
    """Under each of its names."""
    await kubelet.journal.until(
        lambda: all(kubelet.allocatable(resource) == devices for resource in program.resources),
        f"{devices} devices of {program.name} are allocatable",
        SECONDS_TO_REGISTER,
    )
