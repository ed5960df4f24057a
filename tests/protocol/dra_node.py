"""The whole DRA driver as a process of its own, on a node in a folder, and what an API server has to answer it."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from furiosa_npu.demo.child import Child
from furiosa_npu.hardware.reading import Family
from furiosa_npu.simulator import Simulation
from tests.protocol.api_server import ApiServer
from tests.protocol.plugin_node import cards

RESOURCE = "/apis/resource.k8s.io/v1"


def serve_slices(server: ApiServer, *names: str) -> None:
    """A node `n1` whose slices of the driver have these names; what is written or deleted leaves them listed."""
    server.nodes["n1"] = {}
    items = [{"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7"}} for name in names]
    server.answers |= {
        "GET /api/v1/nodes/n1": (200, {"metadata": {"name": "n1", "uid": "uid-n1"}}),
        f"GET {RESOURCE}/resourceslices": (200, {"metadata": {}, "items": items}),
        f"DELETE {RESOURCE}/resourceslices": (200, {"kind": "Status"}),
        f"GET {RESOURCE}/deviceclasses": (200, {"items": []}),
    }


@asynccontextmanager
async def running(
    folder: str, kubeconfig: str, more: Mapping[str, str] | None = None, family: Family = "warboy"
) -> AsyncIterator[Child]:
    """The whole driver over one simulated card, without a kubelet; killed if it was not stopped. `more`: options."""
    roots = Simulation.create(f"{folder}/sim", cards(family), plain_files=True).roots
    for name in ("plugins_registry", "plugins", "device-plugins", "pod-resources"):
        os.makedirs(f"{folder}/kubelet/{name}", exist_ok=True)
    options = {
        "devfs-root": roots.devfs,
        "sysfs-root": roots.sysfs,
        "kubelet-dir": f"{folder}/kubelet",
        "pod-resources-socket": f"{folder}/kubelet/pod-resources/kubelet.sock",
        "state-dir": folder,
        "host-tools-dir": f"{folder}/bin",
        "furiosactl": f"{folder}/none",
        "cdi-dir": f"{folder}/cdi",
        "listen-address": "",
        "node-name": "n1",
        "kubeconfig": kubeconfig,
        "start-jitter-seconds": "0",
    }
    words = [f"--{name}={value}" for name, value in (options | dict(more or {})).items()]
    driver = await Child.start("furiosa_npu.dra_driver", words, f"{folder}/driver.log")
    try:
        yield driver
    finally:
        if driver.exit_code is None:
            await driver.kill()
