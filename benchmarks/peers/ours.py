"""Our agents for a run beside the peers, as the image starts them."""

from pathlib import Path

from benchmarks import plugins
from benchmarks.installation import IMAGES_ENVIRONMENT, Installation
from benchmarks.plugins import NODE, Place
from benchmarks.running import PLAIN, Program
from furiosa_npu.hardware.reading import Roots


class Ours:
    """Over one driver tree and one API server."""

    def __init__(self, image: Installation, roots: Roots, kubeconfig: str) -> None:
        self._image = image
        self._roots = roots
        self._kubeconfig = kubeconfig

    def plugin(self, place: Place, port: int) -> Program:
        image = self._image
        words, interpreter = image.images_command("device_plugin"), image.images_python()
        return plugins.ours(
            "plugin", words, interpreter, self._roots, place, self._kubeconfig, IMAGES_ENVIRONMENT, port
        )

    def labeller(self, port: int) -> Program:
        return self._agent("node_labeller", "labeller", port, {})

    def dra_driver(self, kubelet: Path, place: Place, port: int) -> Program:
        """`kubelet`: the kubelet's folder."""
        folder = place.folder
        options = {
            "kubelet-dir": str(kubelet),
            "pod-resources-socket": place.pod_resources,
            "state-dir": f"{folder}/state",
            "host-tools-dir": f"{folder}/bin",
            "cdi-dir": f"{folder}/cdi",
        }
        return self._agent("dra_driver", "dra-driver", port, options)

    def _agent(self, package: str, name: str, port: int, options: dict[str, str]) -> Program:
        of_all = {
            "devfs-root": self._roots.devfs,
            "sysfs-root": self._roots.sysfs,
            "node-name": NODE,
            "kubeconfig": self._kubeconfig,
            "listen-address": f"127.0.0.1:{port}",
        }
        words = (f"--{option}={value}" for option, value in (of_all | options).items())
        return Program(name, (*self._image.images_command(package), *words), PLAIN | IMAGES_ENVIRONMENT)
