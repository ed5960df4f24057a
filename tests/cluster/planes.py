"""A node that changes between device plugin and DRA driver, and what its agents say meanwhile."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.dra import DAEMON_SET, DraProduct, as_list, driver_objects
from tests.cluster.pods import ALPHA, PLAIN
from tests.cluster.policies import PLUGIN
from tests.cluster.product import CARDS_A_NODE, DEPLOYMENTS, OVERLAY

POLICIES = DEPLOYMENTS / "admission-policies.yaml"
Answer = tuple[int, str]
_IN_SYSTEM = "--namespace=kube-system"
_READYZ = """
import http.client
connection = http.client.HTTPConnection("127.0.0.1", 6257)
connection.request("GET", "/readyz")
print(connection.getresponse().read().decode())
"""


class Planes:
    """One node with two cards, beside one without, on a cluster with the admission policies; first of the DRA plane."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        self.cluster = cluster
        self.node = node
        cluster.kubectl("apply", f"--filename={POLICIES}")
        self.dra = DraProduct(cluster)

    def hand_out_by_plugin(self) -> None:
        """Nobody else does, and all cards are free."""
        self.end(DAEMON_SET)
        self.apply_plugin()
        self.wait_allocatable(CARDS_A_NODE)

    def hand_out_by_dra(self) -> None:
        """Likewise."""
        self.end(PLUGIN)
        self.apply_driver()
        self.dra.wait_ready()
        self.cluster.wait("free devices", lambda: self.taints() == {f"npu{card}": [] for card in range(CARDS_A_NODE)})

    def apply_plugin(self) -> None:
        self.cluster.kubectl("apply", f"--kustomize={OVERLAY}")

    def apply_driver(self) -> None:
        self.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(as_list(driver_objects())))

    def retire_driver(self) -> None:
        """As the documentation says; returns when the retiring instance alone is there."""
        self.begin_retiring()
        self.dra.wait_ready()

    def begin_retiring(self) -> None:
        """Returns when the retiring instance runs, beside the one that still serves."""
        argument = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--retire=on"}]
        patch = f"--patch={json.dumps(argument)}"
        self.cluster.kubectl("patch", _IN_SYSTEM, "daemonset", DAEMON_SET, "--type=json", patch)
        self.cluster.wait("the retiring driver", lambda: any(map(_retires, self._agents(DAEMON_SET))))

    def end(self, daemon_set: str) -> None:
        """Returns when its pods are gone."""
        self.cluster.kubectl(
            "delete", _IN_SYSTEM, "daemonset", daemon_set, "--ignore-not-found", "--cascade=foreground"
        )

    def agent(self, daemon_set: str) -> dict[str, Any]:
        """Its pod on the node, once it is the only one there."""
        return self.cluster.wait(
            f"a pod of {daemon_set}", lambda: found[0] if len(found := self._agents(daemon_set)) == 1 else None
        )

    def _agents(self, daemon_set: str) -> list[dict[str, Any]]:
        items = self.cluster.get("pods", _IN_SYSTEM, f"--selector=app.kubernetes.io/name={daemon_set}")["items"]
        return [item for item in items if item["spec"].get("nodeName") == self.node]

    def log(self, daemon_set: str) -> str:
        return self.cluster.kubectl("logs", _IN_SYSTEM, self.agent(daemon_set)["metadata"]["name"])

    def in_agent(self, daemon_set: str, script: str, *words: str) -> str:
        """Standard output of a Python program run in its container."""
        name = self.agent(daemon_set)["metadata"]["name"]
        command = ["/usr/bin/python3.11", "-I", "-", *words]
        return self.cluster.kubectl("exec", "--stdin", _IN_SYSTEM, name, "--", *command, stdin=script)

    def drivers_readyz(self) -> str:
        return self.in_agent(DAEMON_SET, _READYZ)

    def ask_as(self, daemon_set: str, requests: Sequence[tuple[str, str, str, object]]) -> list[Answer]:
        """(status, message) of each request (method, path, content type, body) with the agent's own token."""
        script = Path(__file__).with_name("asked_inside.py").read_text()
        answers = json.loads(self.in_agent(daemon_set, script, json.dumps(requests)))
        return [(status, message) for status, message in answers]

    def allocatable(self) -> tuple[int, int]:
        """Of the device plugin, under either name."""
        told = self.cluster.get("node", self.node)["status"]["allocatable"]
        return int(told.get(ALPHA, "0")), int(told.get(PLAIN, "0"))

    def wait_allocatable(self, count: int) -> None:
        self.cluster.wait(f"{count} cards of the device plugin", lambda: self.allocatable() == (count, count))

    def taints(self) -> dict[str, list[str]]:
        """Of each whole card that is published, by name (`npu0`)."""
        devices = self.dra.devices(self.node)
        cards = {f"npu{card}": devices.get(self.dra.device(self.node, f"npu{card}")) for card in range(CARDS_A_NODE)}
        return {
            name: [f"{taint['key']}={taint['value']}:{taint['effect']}" for taint in device.get("taints", ())]
            for name, device in cards.items()
            if device is not None
        }


def _retires(agent: dict[str, Any]) -> bool:
    """It runs, and is told to."""
    running = any("running" in status["state"] for status in agent["status"].get("containerStatuses", ()))
    return running and "--retire=on" in agent["spec"]["containers"][0]["args"]
