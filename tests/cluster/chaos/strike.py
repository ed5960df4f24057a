"""Does the faults of a plan to a cluster, and heals them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from furiosa_npu.simulator import Simulation
from tests.cluster.chaos import overlay
from tests.cluster.chaos.faults import KIND
from tests.cluster.chaos.history import Deed
from tests.cluster.chaos.plan import Step
from tests.cluster.chaos.processes import find_agent
from tests.cluster.chaos.site import KUBELET_FOLDER, ChaosCluster
from tests.cluster.hosts import Program
from tests.cluster.simulation import FOLDER

_FILLER = f"{KUBELET_FOLDER}/filler"
_BLOCK = bytes(64 * 1024)


class Striker:
    """`begin` and `heal` a step of the plan; each gives the deed for the history."""

    def __init__(self, chaos: ChaosCluster) -> None:
        self._chaos = chaos
        self._simulations = {name: Simulation.open(str(node.path(FOLDER))) for name, node in chaos.nodes.items()}
        self._ways: dict[str, tuple[Callable[[Step], str], Callable[[Step], str]]] = {
            "driver-unloaded": (self._unload_driver, self._load_driver),
            "kubelet-killed": (self._kill_kubelet, self._start_kubelet),
            "kubelet-stopped": (self._stop_kubelet, self._continue_kubelet),
            "agent-killed": (self._kill_agent, _nothing),
            "agent-killed-without-inotify": (self._kill_agent_without_inotify, self._give_inotify_back),
            "inotify-used-up": (self._use_up_inotify, self._give_inotify_back),
            "sockets-removed": (self._remove_sockets, _nothing),
            "clock-stepped": (self._step_clock, self._step_clock_back),
            "disk-full": (self._fill_disk, self._free_disk),
            "api-server-stopped": (self._stop_api_server, self._continue_api_server),
            "api-server-killed": (self._kill_api_server, self._start_api_server),
        }

    def begin(self, step: Step) -> Deed:
        return self._do(step, heals=False)

    def heal(self, step: Step) -> Deed:
        return self._do(step, heals=True)

    def _do(self, step: Step, *, heals: bool) -> Deed:
        began = time.time()
        told = KIND[step.kind].simulator
        detail = self._tell_simulator(step, told[heals]) if told is not None else self._ways[step.kind][heals](step)
        return Deed(began, time.time(), step.number, step.kind, step.node, step.card, heals, detail)

    def _tell_simulator(self, step: Step, words: str) -> str:
        command, _, fault = words.partition(" ")
        simulation = self._simulations[step.node]
        if command == "fail":
            simulation.fail(step.card, fault)
        else:
            getattr(simulation, command)(step.card)
        return words

    def _unload_driver(self, step: Step) -> str:
        self._simulations[step.node].unload_driver()
        return ""

    def _load_driver(self, step: Step) -> str:
        self._simulations[step.node].load_driver()
        return ""

    def _kubelet(self, step: Step) -> Program:
        return self._chaos.nodes[step.node].kubelet

    def _kill_kubelet(self, step: Step) -> str:
        kubelet = self._kubelet(step)
        kubelet.crash()
        return f"pid {kubelet.pid}"

    def _start_kubelet(self, step: Step) -> str:
        kubelet = self._kubelet(step)
        kubelet.start()
        return f"pid {kubelet.pid}"

    def _stop_kubelet(self, step: Step) -> str:
        self._kubelet(step).pause()
        return ""

    def _continue_kubelet(self, step: Step) -> str:
        self._kubelet(step).go_on()
        return ""

    def _kill_agent(self, step: Step) -> str:
        pid = find_agent(self._chaos.group(step.node), self._chaos.program)
        if pid is None:
            return "there was none"
        os.kill(pid, signal.SIGKILL)
        return f"pid {pid}"

    def _kill_agent_without_inotify(self, step: Step) -> str:
        self._use_up_inotify(step)
        return self._kill_agent(step)

    def _use_up_inotify(self, step: Step) -> str:
        (self._chaos.chaos_folder(step.node) / overlay.INOTIFY_USED_UP).touch()
        return ""

    def _give_inotify_back(self, step: Step) -> str:
        (self._chaos.chaos_folder(step.node) / overlay.INOTIFY_USED_UP).unlink()
        return ""

    def _remove_sockets(self, step: Step) -> str:
        folder = self._chaos.nodes[step.node].path(KUBELET_FOLDER)
        removed = []
        for socket in (found for pattern in self._chaos.sockets for found in folder.glob(pattern)):
            socket.unlink(missing_ok=True)  # an agent that starts removes dead ones itself
            removed.append(socket.name)
        return ", ".join(sorted(removed)) or "there were none"

    def _step_clock(self, step: Step) -> str:
        return self._set_clock(step.node, step.clock_step_seconds)

    def _step_clock_back(self, step: Step) -> str:
        return self._set_clock(step.node, 0)

    def _set_clock(self, node: str, seconds: int) -> str:
        """libfaketime reads the file anew each second; the machine's clock is none of its business."""
        file = self._chaos.chaos_folder(node) / overlay.CLOCK
        beside = file.with_suffix(".new")
        beside.write_text(f"{seconds:+d}\n")
        beside.replace(file)
        return f"{seconds:+d} s"

    def _filler(self, step: Step) -> Path:
        return self._chaos.nodes[step.node].path(_FILLER)

    def _fill_disk(self, step: Step) -> str:
        written = 0
        with self._filler(step).open("wb", buffering=0) as filler:
            try:
                while True:
                    written += filler.write(_BLOCK)
            except OSError as error:
                return f"{written} bytes, then {error.strerror}"

    def _free_disk(self, step: Step) -> str:
        self._filler(step).unlink()
        return ""

    def _api_server(self) -> Program:
        return next(one for one in self._chaos.cluster.control_plane.programs if one.name == "kube-apiserver")

    def _stop_api_server(self, _: Step) -> str:
        self._api_server().pause()
        return ""

    def _continue_api_server(self, _: Step) -> str:
        self._api_server().go_on()
        return ""

    def _kill_api_server(self, _: Step) -> str:
        self._api_server().crash()
        return ""

    def _start_api_server(self, _: Step) -> str:
        self._api_server().start()
        return ""


def _nothing(_: Step) -> str:
    return ""
