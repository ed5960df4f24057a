"""A node in a folder: simulated NPUs, the kubelet, the real device plugin as a child process, and the end of it all."""

import os
import shlex
import sys
import time
from collections.abc import Sequence

from furiosa_npu.demo.child import Child
from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.demo.pods import Pod
from furiosa_npu.simulator import Card, Simulation


class Node:
    """`async with Node(folder, cards) as node`: the kubelet serves inside, and children that were started end with it.

    The folder's path has to be short: a unix socket's path holds 107 bytes.
    """

    def __init__(self, folder: str, cards: Sequence[Card]) -> None:
        self.folder = folder
        self.simulation = Simulation.create(f"{folder}/sim", cards, plain_files=True)
        self.device_plugins_dir = f"{folder}/plugins"
        self.host_tools_dir = f"{folder}/bin"
        self.cdi_dir = f"{folder}/cdi"
        self.log = f"{folder}/agents.log"
        os.mkdir(self.device_plugins_dir)
        self.kubelet = Kubelet(self.device_plugins_dir, f"{folder}/pod-resources.sock", time.monotonic)
        self.plugin: Child | None = None
        self.simulator: Child | None = None
        self._furiosactl = _furiosactl(folder)

    async def __aenter__(self) -> "Node":
        await self.kubelet.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in (self.plugin, self.simulator):
            if child is not None:
                await child.stop()
        await self.kubelet.stop()

    async def start_plugin(self, *options: str, listen_address: str = "", through: Sequence[str] = ()) -> Child:
        """The device plugin of this package; returns before it has registered. No probes unless told where.

        `through`: a command that becomes the program behind it.
        """
        arguments = (
            *("--devfs-root", self.simulation.roots.devfs),
            *("--sysfs-root", self.simulation.roots.sysfs),
            *("--device-plugins-dir", self.device_plugins_dir),
            *("--pod-resources-socket", f"{self.folder}/pod-resources.sock"),
            *("--host-tools-dir", self.host_tools_dir),
            *("--state-dir", self.folder),
            *("--cdi-dir", self.cdi_dir),
            *("--furiosactl", self._furiosactl),
            *("--listen-address", listen_address),
            *options,
        )
        self.plugin = await Child.start("furiosa_npu.device_plugin", arguments, self.log, through=through)
        return self.plugin

    async def start_simulator(self) -> Child:
        """Lets the cards live: heartbeats move on, and the counters of PEs in use."""
        self.simulator = await Child.start("furiosa_npu.simulator", ("run", self.simulation.folder), self.log)
        return self.simulator

    async def until_allocatable(self, resource: str, count: int, seconds: float) -> None:
        """Returns once the kubelet's `status.allocatable` says so. Raises TimeoutError."""
        kubelet = self.kubelet
        await kubelet.journal.until(
            lambda: kubelet.allocatable(resource) == count, f"{resource}: {count} allocatable", seconds
        )

    async def until_seen(self, pod: Pod, seconds: float) -> None:
        """Returns once the plugin, asking who holds what, was shown the pod. Raises TimeoutError."""
        before = len(self.kubelet.journal.calls)

        def shown() -> bool:
            since = self.kubelet.journal.calls[before:]
            lists = [call.answer.pod_resources for call in since if call.method == "List"]
            return any(listed.name == pod.name for pods in lists for listed in pods)

        await self.kubelet.journal.until(shown, f"pod {pod.name} is shown to the plugin", seconds)


def _furiosactl(folder: str) -> str:
    """A stand-in for the static file, which only an image holds: it starts the installed furiosactl."""
    path = f"{folder}/furiosactl"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m furiosa_npu.furiosactl "$@"\n')
    os.chmod(path, 0o700)
    return path
