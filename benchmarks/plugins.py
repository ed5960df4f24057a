"""The device plugins: how each is started against a kubelet, and what ends it."""

import asyncio
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.sample_plugin import NEWEST, NEWEST_RESOURCE, OLD, OLD_RESOURCE, Samples
from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.watch.options import RESOURCES

DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"
"""the sample plugin has this place fixed in its code"""
NODE = "warboy-node01"
SECONDS_TO_REGISTER = 30.0
_PLAIN = {"PATH": "/usr/bin:/bin"}


class Program(NamedTuple):
    """A device plugin: its command, its environment, and what it registers."""

    name: str
    words: tuple[str, ...]
    environment: dict[str, str]
    resources: tuple[str, ...]
    bare: tuple[str, ...] | None = None
    """of a Python program: the words that start its interpreter and end it at once"""


class Place(NamedTuple):
    """The folder of a kubelet's sockets, and a folder for what a plugin writes."""

    device_plugins: str
    folder: Path

    @property
    def pod_resources(self) -> str:
        return f"{self.folder}/pod-resources.sock"


def ours(
    name: str, words: tuple[str, ...], interpreter: tuple[str, ...], roots: Roots, place: Place, kubeconfig: str
) -> Program:
    options = (
        *("--devfs-root", roots.devfs, "--sysfs-root", roots.sysfs, "--device-plugins-dir", place.device_plugins),
        *("--pod-resources-socket", place.pod_resources, "--host-tools-dir", f"{place.folder}/bin"),
        *("--state-dir", f"{place.folder}/state", "--listen-address", "127.0.0.1:0"),
        *("--node-name", NODE, "--kubeconfig", kubeconfig),
    )
    return Program(name, (*words, *options), _PLAIN, RESOURCES, (*interpreter, "-c", "pass"))


def samples(programs: Samples) -> tuple[Program, Program]:
    """The old one and the newest."""
    environment = {"PLUGIN_SOCK_DIR": DEVICE_PLUGINS}
    return (
        Program(f"sample-{OLD}", (str(programs.old),), environment, (OLD_RESOURCE,)),
        Program(f"sample-{NEWEST}", (str(programs.newest),), environment, (NEWEST_RESOURCE,)),
    )


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
