"""Node Feature Discovery on a cluster: its own programs and manifests, from its Go module, on images that are here."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cache import cached
from tests.cluster.cluster import Cluster
from tests.cluster.dra import as_list
from tests.cluster.go_modules import LINKER, Workshop
from tests.cluster.pods import IMAGE

NUMBER = "0.19.0"
NAMESPACE = "node-feature-discovery"
HOSTS_FEATURES = "/run/furiosa-nfd/features.d"
"""where features.d lies on the nodes here: their /etc is the machine's"""
MODULE = "sigs.k8s.io/node-feature-discovery"
_FEATURES = "/etc/kubernetes/node-feature-discovery/features.d"
_PROGRAMS = "/opt/nfd"


def release() -> Path:
    """The folder with nfd-master, nfd-worker and the module's `deployment`, from the cache or built."""

    def make(folder: Path) -> None:
        work = folder / "work"
        workshop = Workshop(work, MODULE, NUMBER)
        for program in ("nfd-master", "nfd-worker"):
            workshop.build(f"{MODULE}/cmd/{program}", folder / program, LINKER)
        shutil.copytree(workshop.source / "deployment/base", folder / "deployment")
        shutil.rmtree(work)

    return cached(f"nfd-{NUMBER}", {"number": NUMBER, "recipe": 1}, make)


class NodeFeatureDiscovery:
    """nfd-master, and nfd-worker on one node; the kinds of its API stay in the cluster when it is taken away."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self._cluster = cluster
        folder = release()
        deployment = folder / "deployment"
        cluster.kubectl("apply", f"--filename={deployment}/nfd-crds/nfd-api-crds.yaml")
        cluster.kubectl("create", "namespace", NAMESPACE)
        rights = [one for file in sorted((deployment / "rbac").glob("*-*.yaml")) for one in _objects(file)]
        master = _objects(deployment / "master/master-deployment.yaml")[0]
        worker = _objects(deployment / "worker-daemonset/worker-daemonset.yaml")[0]
        master["spec"]["template"]["spec"] |= {"nodeSelector": {"kubernetes.io/hostname": "plain-node01"}}
        worker["spec"]["template"]["spec"] |= {"nodeSelector": {"kubernetes.io/hostname": node}}
        _run_here(master, folder)
        _run_here(worker, folder, "-feature-sources=local", "-label-sources=local")
        pod = worker["spec"]["template"]["spec"]
        pod["containers"][0]["volumeMounts"].append({"name": "features-d", "mountPath": _FEATURES})
        pod["volumes"].append({"name": "features-d", "hostPath": {"path": HOSTS_FEATURES, "type": "DirectoryOrCreate"}})
        objects = [_in_namespace(one) for one in (*rights, master, worker)]
        cluster.kubectl("apply", "--filename=-", stdin=json.dumps(as_list(objects)))
        for workload in ("deployment/nfd-master", "daemonset/nfd-worker"):
            cluster.kubectl("rollout", "status", f"--namespace={NAMESPACE}", workload)

    def labelled(self, node: str) -> set[str]:
        """The labels of a node that nfd-master counts as its own."""
        annotations = self._cluster.get("node", node)["metadata"].get("annotations", {})
        return {name for name in annotations.get("nfd.node.kubernetes.io/feature-labels", "").split(",") if name}

    def log(self, workload: str) -> str:
        return self._cluster.kubectl("logs", f"--namespace={NAMESPACE}", workload)

    def end(self) -> None:
        """First of all nfd-master, so that the nodes keep the labels that they have."""
        self._cluster.kubectl("delete", "deployment", f"--namespace={NAMESPACE}", "nfd-master", "--cascade=foreground")
        self._cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        self._cluster.kubectl("annotate", "nodes", "--all", "nfd.node.kubernetes.io/feature-labels-")


def _objects(file: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one is not None]


def _in_namespace(one: dict[str, Any]) -> dict[str, Any]:
    """As the kustomizations of the module's overlays do it."""
    if not one["kind"].startswith("Cluster"):
        one["metadata"]["namespace"] = NAMESPACE
    for subject in one.get("subjects", ()):
        subject["namespace"] = NAMESPACE
    return one


def _run_here(workload: dict[str, Any], folder: Path, *options: str) -> None:
    """The program out of the cache, on an image that every node has."""
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (program,) = container["command"]
    container |= {"image": IMAGE, "command": [f"{_PROGRAMS}/{program}"], "args": [*options]}
    container["resources"] = {}
    for probe in ("livenessProbe", "readinessProbe"):
        del container[probe]  # they wait for longer than the test takes
    container["env"] = [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in (
            ("NODE_NAME", "spec.nodeName"),
            ("POD_NAME", "metadata.name"),
            ("POD_UID", "metadata.uid"),
            ("KUBERNETES_NAMESPACE", "metadata.namespace"),
        )
    ]
    container["volumeMounts"] = [{"name": "programs", "mountPath": _PROGRAMS, "readOnly": True}]
    pod["volumes"] = [{"name": "programs", "hostPath": {"path": str(folder), "type": "Directory"}}]
