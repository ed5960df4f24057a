"""An API server of the newest Kubernetes and its etcd, on loopback: the programs as they are to run."""

from collections.abc import Mapping
from pathlib import Path

from tests.cluster.certificates import Authority
from tests.cluster.releases import KUBERNETES_1_37
from tests.protocol.plugin_node import free_port

from benchmarks.running import Program


class ControlPlane:
    """Neither runs yet, etcd is to be the first; `folder`, which is there, holds all that they write."""

    def __init__(self, folder: Path, port: int, **options: str) -> None:
        """`port`: of the API server, whose further options are `audit_log_path` and the like.

        The programs come from the cache or are built, some quarter of an hour on two cores.
        """
        programs = {component.name: component.folder() for component in KUBERNETES_1_37.components}
        kubernetes = programs["kubernetes"]
        address, store = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
        self.authority = Authority(folder / "certificates")
        self.kubeconfig = self.authority.kubeconfig("administrator", address, "administrator", "system:masters")
        """of an administrator"""
        self.kubectl = kubernetes / "kubectl"
        self.etcd = _program(programs["etcd"] / "etcd", _etcds_options(folder, store))
        apiservers_options = _apiservers_options(self.authority, folder, port, store)
        further = {name.replace("_", "-"): value for name, value in options.items()}
        self.kube_apiserver = _program(kubernetes / "kube-apiserver", apiservers_options | further)


def _etcds_options(folder: Path, store: str) -> dict[str, str]:
    peers = f"http://127.0.0.1:{free_port()}"
    return {
        "data-dir": f"{folder}/etcd",
        "listen-client-urls": store,
        "advertise-client-urls": store,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
        "log-level": "warn",
        "unsafe-no-fsync": "true",  # whether this machine's disk is quick is not the question
    }


def _apiservers_options(authority: Authority, folder: Path, port: int, store: str) -> dict[str, str]:
    certificate, key = authority.server("kube-apiserver", "DNS:kubernetes,IP:127.0.0.1")
    signing, verifying = authority.key_pair("service-accounts")
    return {
        "etcd-servers": store,
        "bind-address": "127.0.0.1",
        "secure-port": str(port),
        "advertise-address": "192.0.2.1",  # nobody comes that way, but there has to be one
        "endpoint-reconciler-type": "none",  # an address of loopback may stand in no Endpoints
        "service-cluster-ip-range": "10.96.0.0/16",
        "client-ca-file": str(authority.certificate),
        "tls-cert-file": str(certificate),
        "tls-private-key-file": str(key),
        "service-account-signing-key-file": str(signing),
        "service-account-key-file": str(verifying),
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "authorization-mode": "Node,RBAC",
        "cert-dir": f"{folder}/kube-apiserver",
    }


def _program(file: Path, options: Mapping[str, str]) -> Program:
    return Program(file.name, (str(file), *(f"--{name}={value}" for name, value in options.items())))
