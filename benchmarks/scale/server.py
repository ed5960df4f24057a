"""One etcd and one API server of the newest Kubernetes with an audit log, alone on the loopback of their namespace."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.control_plane import ControlPlane
from benchmarks.running import running
from benchmarks.scale.audit import POLICY
from benchmarks.scale.threads import all_answers
from furiosa_npu.cluster.api import Access, ApiRequest, complaint

_PORT = 6443
SERVER = f"https://127.0.0.1:{_PORT}"
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_DEPLOYMENTS = Path(__file__).parents[2] / "kubernetes/deployments"
_PATHS = {
    "ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "DeviceClass": "/apis/resource.k8s.io/v1/deviceclasses",
}
"""of what the agents need of their manifests"""
_IMAGES = 20


class Refused(Exception):
    """The API server did not take what the benchmark needs; the message says why."""


class ApiServer:
    """Runs from `start` to `kill`, and again, where the etcd of its `plane` runs."""

    def __init__(self, folder: Path) -> None:
        self.audit_log = folder / "audit.log"
        policy = folder / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        self.plane = ControlPlane(folder, _PORT, audit_policy_file=str(policy), audit_log_path=str(self.audit_log))
        self._folder = folder
        self._admin = Access(str(self.plane.kubeconfig))
        self._running = ExitStack()

    def start(self) -> None:
        self._running.enter_context(running(self.plane.kube_apiserver, self._folder))

    def wait_until_ready(self) -> None:
        """With the namespaces that it makes itself. Raises Refused."""
        deadline = time.monotonic() + _READY_SECONDS
        paths = ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system")
        while True:
            answers = all_answers(self._admin, [ApiRequest("GET", path) for path in paths])
            if all(answer.status == 200 for answer in answers):
                return
            if time.monotonic() > deadline:
                log = (self._folder / "kube-apiserver.log").read_text(errors="replace")
                raise Refused(f"not ready after {_READY_SECONDS:.0f} s: {answers}; its log ends with {log[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """SIGKILL."""
        self._running.close()

    def furnish(self, nodes: Sequence[str]) -> None:
        """The nodes, and what of the shipped manifests lets agents in. Raises Refused."""
        requests = []
        for manifest in ("node-labeller.yaml", "dra-driver.yaml", "device-classes.yaml"):
            documents = yaml.safe_load_all((_DEPLOYMENTS / manifest).read_text())
            requests += [_post(_PATHS[one["kind"]], one) for one in documents if one["kind"] in _PATHS]
        requests += [
            _post("/api/v1/nodes", _node(name)) for name in nodes
        ]  # roles are known to it when these are there
        self._ask(requests)

    def service_account(self, name: str) -> Access:
        """As a pod has it: a folder with token and CA. Raises Refused."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        (told,) = self._ask([_post(f"{_PATHS['ServiceAccount']}/{name}/token", body)])
        folder = self._folder / name
        folder.mkdir()
        (folder / "token").write_text(told["status"]["token"])
        (folder / "ca.crt").write_bytes(self.plane.authority.certificate.read_bytes())
        return Access(service_account=str(folder))

    def _ask(self, requests: Sequence[ApiRequest]) -> list[Any]:
        answers = all_answers(self._admin, requests)
        for request, answer in zip(requests, answers, strict=True):
            said = complaint(request, answer)
            if said is not None:
                raise Refused(said)
        return [answer.body for answer in answers]


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Ended with the block."""
    server = ApiServer(folder)
    with running(server.plane.etcd, folder):
        try:
            yield server
        finally:
            server.kill()


def _post(path: str, body: object) -> ApiRequest:
    return ApiRequest("POST", path, content_type="application/json", body=json.dumps(body))


def _node(name: str) -> dict[str, object]:
    """With a status of the size that kubelets give it: 10 KiB."""
    images = [
        {"names": [f"registry.example.com/team/image-{n}@sha256:{n:064x}", f"registry.example.com/team/image-{n}:1"]}
        for n in range(_IMAGES)
    ]
    condition = {"status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    conditions = [{"type": kind, **condition} for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {"images": images, "conditions": conditions},
    }
