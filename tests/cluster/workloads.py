"""What a user does with pods: apply them, watch them, look into them, delete them."""

import json
from typing import Any

from tests.cluster.cluster import Cluster


class Workloads:
    """Pods and jobs of one test in the namespace default. `clear` ends with all NPUs free again."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def apply(self, *objects: dict[str, Any]) -> None:
        """All objects in one call, so that pods come to the scheduler in one instant."""
        bundle = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(bundle))

    def run(self, *objects: dict[str, Any]) -> None:
        """Applies pods and waits until each of them runs."""
        self.apply(*objects)
        for one in objects:
            self.wait_for(one["metadata"]["name"], "Running")

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.get("pod", name)
        return found

    def phase(self, name: str) -> str:
        return str(self.get(name)["status"]["phase"])

    def wait_for(self, name: str, phase: str) -> dict[str, Any]:
        """The pod once it is in that phase; a pod that has failed instead is not waited for."""
        seen = self.cluster.wait(
            f"pod {name} to be {phase}",
            lambda: self._settled(name, phase),
        )
        assert seen["status"]["phase"] == phase, f"pod {name}: {json.dumps(seen['status'], indent=1)}"
        return seen

    def _settled(self, name: str, phase: str) -> dict[str, Any] | None:
        found = self.get(name)
        return found if found["status"]["phase"] in (phase, "Failed") else None

    def wait_unschedulable(self, name: str) -> str:
        """The scheduler's message for a pod it has found no node for."""
        return self.cluster.wait(f"the scheduler to find no node for {name}", lambda: self._unschedulable(name))

    def _unschedulable(self, name: str) -> str | None:
        status = self.get(name)["status"]
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
                return str(condition["message"])
        return None

    def wait_event(self, name: str, reason: str) -> str:
        """The message of the latest event about a pod, there yet or not, whose name no earlier one had."""
        about = f"--field-selector=involvedObject.name={name},reason={reason}"

        def message() -> str | None:
            found = self.cluster.get("events", about, "--sort-by=.metadata.creationTimestamp")["items"]
            return str(found[-1]["message"]) if found else None

        return self.cluster.wait(f"an event {reason} about {name}", message)

    def exec(self, pod: str, *argv: str, container: str | None = None) -> str:
        """Standard output of a command run in the pod's container."""
        chosen = [f"--container={container}"] if container else []
        return self.cluster.kubectl("exec", pod, *chosen, "--", *argv)

    def log(self, pod: str, container: str | None = None) -> str:
        chosen = [f"--container={container}"] if container else []
        return self.cluster.kubectl("logs", pod, *chosen)

    def files(self, pod: str) -> list[str]:
        """The device files of PEs and of whole cards that its container has."""
        return self.exec(pod, "sh", "-c", "cd /dev && ls -d npu*pe* npu? 2>/dev/null; true").split()

    def npus(self, pod: str, container: str = "linux") -> list[str]:
        """Which cards the container was told of at its start: the first line it printed, `npu0pe0-1` as npu0.

        A container runs before it has printed anything.
        """
        lines = self.cluster.wait(f"{pod} to say its NPUs", lambda: self.log(pod, container).splitlines())
        return [name.partition("pe")[0] for name in lines[0].split(",") if name]

    def delete(self, *names: str) -> None:
        """Returns when the API server has seen the last of them.

        Usually after 10 s; 1.20.2 may miss the moment to remove a sandbox (kubelet.go, deletePodSandbox: the pod's
        status is not written yet) and then does it at its next round, a minute later.
        """
        self.cluster.kubectl("delete", "pod", *names)

    def clear(self) -> None:
        """Deletes what the test made and waits until the API server has seen the last of it."""
        self.cluster.kubectl("delete", "jobs,pods", "--all", "--grace-period=1")
