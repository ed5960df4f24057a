"""A taint that a node was born with: the DRA driver removes it once its slices stand there."""

import json

from tests.cluster.components import operations, patch
from tests.cluster.dra import DAEMON_SET, DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37

pytestmark = ONLY_1_37

TAINT, BUSY = "npu.furiosa.ai/not-ready", "example.com/busy"


def taints(dra: DraProduct, node: str) -> list[str]:
    """Keys."""
    return [taint["key"] for taint in dra.cluster.get("node", node)["spec"].get("taints", ())]


def test_the_taint_goes_once_the_slices_stand(dra: DraProduct) -> None:
    """During a rolling update, by the newer instance; another taint stays."""
    node = dra.nodes[0]
    before = json.dumps(dra.cluster.get("clusterrole", DAEMON_SET)["rules"])
    dra.cluster.kubectl("taint", "nodes", node, f"{BUSY}=yes:PreferNoSchedule", f"{TAINT}=:NoSchedule")
    try:
        patch(dra.cluster, "clusterrole", DAEMON_SET, operations("startup-taint", "right.yaml"))
        patch(dra.cluster, "daemonset", DAEMON_SET, operations("startup-taint", "option.yaml"))
        dra.cluster.wait("the taint to go", lambda: taints(dra, node) == [BUSY])
        dra.wait_ready()
        dra.cluster.wait("it to be said", lambda: "startup taint removed" in dra.log(node))
    finally:
        dra.cluster.kubectl("taint", "nodes", node, f"{BUSY}-")
        dra.update()
    assert json.dumps(dra.cluster.get("clusterrole", DAEMON_SET)["rules"]) == before
