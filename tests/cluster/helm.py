"""The product as Helm installs it, on a cluster of its own with one node that has simulated NPUs."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster, stage
from tests.cluster.commands import CommandFailed, run
from tests.cluster.helm_program import helm_program
from tests.cluster.last_release import LastRelease, last_release
from tests.cluster.product import IMAGE, REPOSITORY, SCENARIO, load_image
from tests.cluster.simulation import FOLDER, Simulation

CHART = REPOSITORY / "kubernetes/charts/furiosa-npu"
RELEASE = "furiosa-npu"
NODE = "warboy-node01"
SYSTEM = "--namespace=kube-system"
_LIBRARY = "docker.io/library"
"""what a name without a registry stands for"""
_SIMULATED = f"--set=simulatedRoot={FOLDER}"
_LEFT = """
for folder in /var/lib/furiosa-npu /var/run/cdi /var/lib/kubelet/device-plugins /var/lib/kubelet/plugins \
  /var/lib/kubelet/plugins_registry; do
  [ ! -d $folder ] || find $folder -mindepth 1 ! -name 'kubelet*' ! -name DEPRECATION
done
"""


class Helm:
    """Helm as the cluster's administrator."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._words = cluster.as_administrator(helm_program())
        cluster.write_command("helm", self._words)
        self._namespace = SYSTEM
        load_image(cluster)
        with stage("the image of the last version"):
            self.last: LastRelease = last_release()
            cluster.load(self.last.archive())
        self.simulation = Simulation(cluster.node(NODE), SCENARIO, cluster.run.logs)

    def __call__(self, *words: str, deadline_seconds: float = 200) -> str:
        """What it says, errors too. Raises CommandFailed."""
        return run(["sh", "-c", '"$@" 2>&1', "sh", *self.words(*words)], deadline_seconds=deadline_seconds)

    def words(self, *words: str) -> list[str]:
        """The command line; another `--namespace` among them wins."""
        return [*self._words, self._namespace, *words]

    def elsewhere(self, namespace: str) -> "Helm":
        """The same for another namespace, which an installation makes where it is not there."""
        other = copy.copy(self)
        other._namespace = f"--namespace={namespace}"
        return other

    def refused(self, *words: str) -> str:
        """What it says where it fails, as it should."""
        try:
            said = self(*words)
        except CommandFailed as failure:
            return failure.output
        raise AssertionError(f"helm {' '.join(words)}: found success, expected a failure; it said {said}")

    def upgrade(self, chart: Path, *options: str) -> list[str]:
        """The words of an installation or upgrade that ends when the agents are Ready."""
        how = ["--install", "--create-namespace", "--wait", "--timeout=120s"]
        return ["upgrade", RELEASE, str(chart), *how, _SIMULATED, *options]

    def deploy(self, chart: Path = CHART, *options: str) -> str:
        """Installs or upgrades; returns when its pods are Ready."""
        return self(*self.upgrade(chart, *options))

    def deploy_last(self) -> str:
        """The last version, as it comes."""
        return self.deploy(self.last.chart)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Helm, at work beside us."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self.words(*words), stdin=quiet, stdout=quiet, stderr=quiet)

    def status(self) -> str:
        """`deployed`, `failed`, `pending-upgrade`."""
        return str(json.loads(run(self.words("status", RELEASE, "--output=json")))["info"]["status"])

    def revision(self) -> str:
        """The number of the newest."""
        return str(json.loads(run(self.words("status", RELEASE, "--output=json")))["version"])

    def digest(self) -> str:
        """The image's, under which the node has it then, as after a pull from a registry."""
        node, of_image = self.cluster.node(NODE), ["ctr", "--namespace=k8s.io", "images"]
        (digest,) = re.findall(r"sha256:[0-9a-f]{64}", node.run([*of_image, "ls", f"name=={_LIBRARY}/{IMAGE}"]))
        name = f"{_LIBRARY}/{IMAGE.partition(':')[0]}@{digest}"
        node.run([*of_image, "tag", "--force", f"{_LIBRARY}/{IMAGE}", name])
        return str(digest)

    def wait_images(self, wanted: dict[str, set[str]]) -> None:
        self.cluster.wait(f"agents of {wanted} alone", lambda: self.images() == wanted)

    def images(self) -> dict[str, set[str]]:
        """By DaemonSet that wants pods: the images of those that are Ready."""
        found: dict[str, set[str]] = {}
        for item in self.cluster.get("pods", self._namespace)["items"]:
            if any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"].get("conditions", ())):
                name = item["metadata"]["labels"].get("app.kubernetes.io/name", "")
                found.setdefault(name, set()).add(item["spec"]["containers"][0]["image"])
        return found

    def traces(self) -> dict[str, Any]:
        """All that an installation leaves: of the nodes at the API server, on their disks, and objects of ours."""
        objects = "serviceaccounts,roles,rolebindings,daemonsets,jobs,pods,clusterroles,clusterrolebindings"
        return {
            "nodes": {one["metadata"]["name"]: _of_node(one) for one in self.cluster.get("nodes")["items"]},
            "files": {one.name: sorted(one.shell(_LEFT).split()) for one in self.cluster.nodes},
            "objects": sorted(
                line
                for line in self.cluster.kubectl("get", objects, self._namespace, "--output=name").splitlines()
                if "furiosa" in line
            ),
            "dra": self._of_dra(),
        }

    def _of_dra(self) -> list[str]:
        """Slices, classes and policies, where the cluster knows them."""
        wanted = ("resourceslices", "deviceclasses", "validatingadmissionpolicies", "validatingadmissionpolicybindings")
        known = self.cluster.kubectl("api-resources", "--output=name").split()
        kinds = [kind for kind in wanted if any(name.partition(".")[0] == kind for name in known)]
        return self.cluster.kubectl("get", ",".join(kinds), "--output=name").split() if kinds else []

    def wait_pods_gone(self) -> None:
        """Hooks' and agents' pods have ended."""
        self.cluster.wait("no pod", lambda: not self.cluster.get("pods", self._namespace)["items"])


def _of_node(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "labels": node["metadata"]["labels"],
        "taints": node["spec"].get("taints", []),
        "conditions": sorted(one["type"] for one in node["status"]["conditions"]),
    }
