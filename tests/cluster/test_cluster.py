"""The cluster itself: what the other tests stand on is there before they blame the product."""

import json

from tests.cluster.cluster import NODE_NAMES, PATIENCE_SECONDS, Cluster
from tests.cluster.releases import Release

POD = """
apiVersion: v1
kind: Pod
metadata: {name: plain-pod}
spec:
  containers:
    - {name: linux, image: "ubuntu:focal", command: ["/bin/sh", "-c", "echo started; exec sleep 3650d"]}
"""


def test_three_nodes_of_the_release_are_ready(cluster: Cluster, release: Release) -> None:
    """API server and nodes say its version."""
    versions = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in cluster.get("nodes")["items"]
    }
    assert versions == dict.fromkeys(NODE_NAMES, f"v{release}")
    assert json.loads(cluster.kubectl("get", "--raw=/version"))["gitVersion"] == f"v{release}"
    assert cluster.ready_nodes() == sorted(NODE_NAMES)


def test_a_pod_runs_and_answers_exec_and_logs(cluster: Cluster) -> None:
    """Scheduler, kubelet, containerd, pod network and the way from API server to kubelet work."""
    cluster.kubectl("apply", "--filename=-", stdin=POD)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/plain-pod", f"--timeout={PATIENCE_SECONDS:.0f}s")
    assert cluster.kubectl("exec", "plain-pod", "--", "/bin/bash", "-c", "echo $((6 * 7))") == "42\n"
    said = cluster.wait("the pod to say something", lambda: cluster.kubectl("logs", "plain-pod"))
    assert said == "started\n"
    cluster.kubectl("delete", "pod", "plain-pod", "--grace-period=1")
