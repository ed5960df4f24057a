"""The Go peers: what each program is, where it comes from, and how it is started."""

from pathlib import Path
from typing import NamedTuple

from tests.cluster import nfd
from tests.cluster.releases import Component, of_module

from benchmarks.running import PLAIN, Program
from benchmarks.sample_plugin import DEVICES, newest_sample_plugin

NODE_EXPORTER = of_module("node-exporter", "1.12.1", "github.com/prometheus/node_exporter", {"node_exporter": ""})
DRA_EXAMPLE_DRIVER = of_module(
    "dra-example-driver",
    "0.4.0",
    "sigs.k8s.io/dra-example-driver",
    {f"dra-example-{program}": f"cmd/dra-example-{program}" for program in ("kubeletplugin", "controller", "webhook")},
)
NFD_OTHERS = of_module(
    "nfd-others",
    nfd.NUMBER,
    nfd.MODULE,
    {program: f"cmd/{program}" for program in ("nfd-topology-updater", "nfd-gc", "kubectl-nfd", "nfd")},
)
"""what NFD's image has beside the two of `nfd.release`"""
DRA_DRIVER_NAME = "gpu.example.com"
"""under which it registers and publishes"""


class Programs(NamedTuple):
    """Where they are: each one file without symbols."""

    sample_plugin: Path
    nfd_worker: Path
    node_exporter: Path
    dra_example_driver: Path
    nfds_kinds: Path
    """the manifest of NFD's own kinds"""
    nfds_image: tuple[Path, ...]
    """all programs that its Dockerfile installs"""
    dra_example_drivers_image: tuple[Path, ...]

    def files(self) -> list[Path]:
        """Each program once."""
        return [self.sample_plugin, *self.nfds_image, self.node_exporter, *self.dra_example_drivers_image]


def programs() -> Programs:
    """From the cache or built, each some two minutes on two cores."""
    node_feature_discovery, example_driver = nfd.release(), DRA_EXAMPLE_DRIVER.folder()
    return Programs(
        newest_sample_plugin(),
        node_feature_discovery / "nfd-worker",
        NODE_EXPORTER.folder() / "node_exporter",
        example_driver / "dra-example-kubeletplugin",
        node_feature_discovery / "deployment/nfd-crds/nfd-api-crds.yaml",
        (*(node_feature_discovery / name for name in ("nfd-master", "nfd-worker")), *_all(NFD_OTHERS)),
        tuple(_all(DRA_EXAMPLE_DRIVER)),
    )


def _all(component: Component) -> list[Path]:
    folder = component.folder()
    return [folder / program for program in component.programs]


def nfd_worker(program: Path, node: str, kubeconfig: str, port: int) -> Program:
    """All of its sources, as it ships; no pod of a cluster's is its owner here."""
    options = (f"-kubeconfig={kubeconfig}", f"-port={port}", "-owner-refs=")
    namespace = {"NODE_NAME": node, "KUBERNETES_NAMESPACE": "default"}
    return Program("nfd-worker", (str(program), *options), PLAIN | namespace)


def node_exporter(program: Path, port: int) -> Program:
    """Its default collectors."""
    return Program("node-exporter", (str(program), f"--web.listen-address=127.0.0.1:{port}"))


def dra_example_driver(program: Path, node: str, kubeconfig: str, folder: Path) -> Program:
    """Its kubelet's folder is `folder`/kubelet."""
    told = {
        "NODE_NAME": node,
        "KUBECONFIG": kubeconfig,
        "CDI_ROOT": f"{folder}/cdi",
        "NUM_DEVICES": str(DEVICES),
        "KUBELET_REGISTRAR_DIRECTORY_PATH": f"{folder}/kubelet/plugins_registry",
        "KUBELET_PLUGINS_DIRECTORY_PATH": f"{folder}/kubelet/plugins",
    }
    return Program("dra-example-driver", (str(program),), PLAIN | told)
