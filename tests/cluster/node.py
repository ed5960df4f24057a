"""A node: a host with containerd and a kubelet."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import network
from tests.cluster.certificates import Authority
from tests.cluster.hosts import Host, Program
from tests.cluster.images import SANDBOX_IMAGE
from tests.cluster.releases import Release

_CAP_SYS_RESOURCE = 1 << 24


class Node:
    """`host` has its namespaces and paths; `containerd` and `kubelet` are started and stopped one by one."""

    def __init__(
        self, host: Host, number: int, release: Release, authority: Authority, server: str, cgroup: str, logs: Path
    ) -> None:
        self.name = host.name
        self.host = host
        self.number = number
        self._settings = host.folder / "settings"
        self._settings.mkdir()
        network.write_pod_network(self._settings / "cni", number)
        self._static_pods = self._settings / "static-pods"
        self._static_pods.mkdir()
        self._write("resolv.conf", f"nameserver {network.CONTROL_PLANE}\n")
        containerd_config = self._write("containerd.toml", _containerd_config(self._settings))
        kubelet_config = self._write(
            "kubelet.yaml",
            yaml.safe_dump(
                {**_kubelet_config(self._settings, authority.certificate, cgroup), **release.kubelet_settings}
            ),
        )
        kubeconfig = authority.kubeconfig(self.name, server, f"system:node:{self.name}", "system:nodes")
        self.containerd = Program(
            host, "containerd", ["containerd", f"--config={containerd_config}"], logs / f"{self.name}-containerd.log"
        )
        self.kubelet = Program(
            host,
            "kubelet",
            [
                "kubelet",
                f"--config={kubelet_config}",
                f"--kubeconfig={kubeconfig}",
                f"--node-ip={network.node_address(number)}",
                *release.kubelet_flags,
                "--v=2",
            ],
            logs / f"{self.name}-kubelet.log",
        )

    def run(self, argv: list[str], *, stdin: str | None = None, deadline_seconds: float = 120) -> str:
        """Standard output of a program run on the node (not in a pod)."""
        return self.host.run(argv, stdin=stdin, deadline_seconds=deadline_seconds)

    def shell(self, script: str) -> str:
        return self.run(["sh", "-euc", script])

    def path(self, path: str) -> Path:
        """Where the machine sees a path of the node, e.g. `/var/lib/kubelet/device-plugins`."""
        return self.host.path(path)

    def import_image(self, archive: Path) -> None:
        """Puts a docker archive's images into containerd, where the kubelet finds them."""
        self.run(["ctr", "--namespace=k8s.io", "images", "import", str(archive)], deadline_seconds=300)

    @contextmanager
    def static_pod(self, pod: dict[str, Any]) -> Iterator[None]:
        """The kubelet runs it meanwhile, by a manifest of its own; the API server has its mirror, `NAME-NODE`."""
        manifest = self._static_pods / f"{pod['metadata']['name']}.json"
        manifest.write_text(json.dumps(pod))
        try:
            yield
        finally:
            manifest.unlink()

    def _write(self, name: str, text: str) -> Path:
        file = self._settings / name
        file.write_text(text)
        return file


def _containerd_config(settings: Path) -> str:
    effective = next(
        line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
    )
    restricted = not int(effective, 16) & _CAP_SYS_RESOURCE  # or sandboxes die while they lower their oom_score_adj
    return f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX_IMAGE}"
  restrict_oom_score_adj = {str(restricted).lower()}
  disable_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = {json.dumps(str(settings / "cni"))}
"""


def _kubelet_config(settings: Path, client_authority: Path, cgroup: str) -> dict[str, object]:
    """KubeletConfiguration v1beta1. What differs from the defaults is the machine's: shared, without swap or space."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(client_authority)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "clusterDNS": [network.DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": str(settings / "resolv.conf"),
        "staticPodPath": str(settings / "static-pods"),
        "failSwapOn": False,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "2s",
        "rotateCertificates": False,
    }
