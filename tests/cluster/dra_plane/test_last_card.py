"""A node whose last card drops off the bus while a pod has it."""

from tests.cluster.dra import DAEMON_SET, DraProduct
from tests.cluster.dra_plane.newest import ONLY_1_37
from tests.cluster.pods import PLAIN, npu_pod
from tests.cluster.workloads import Workloads

pytestmark = ONLY_1_37

NODE = "warboy-node01"
FAMILY = "alpha.furiosa.ai/npu.family"
LABELLER = "furiosa-npu-labeller"
STAYS = "no NPU is left, the labels stay while claims are prepared"


def test_a_pod_can_end_though_its_card_was_the_last_and_has_left(dra: DraProduct, workloads: Workloads) -> None:
    """The driver stays until the claim is unprepared; then label and driver go, and come again with the cards."""
    simulation = dra.simulations[NODE]
    workloads.run(npu_pod("holder", {PLAIN: 1}, NODE))
    driver = dra.driver(NODE)
    for npu in ("npu0", "npu1"):
        simulation.tell("remove", npu)
    dra.cluster.wait("the labeller to say why the label stays", lambda: STAYS in log_of_labeller(dra))
    dra.cluster.wait("nothing to be offered", lambda: all(one.get("taints") for one in dra.devices(NODE).values()))
    assert (label(dra), dra.driver(NODE)) == ("warboy", driver)
    workloads.delete("holder")
    dra.cluster.wait("the label to go", lambda: label(dra) is None)
    dra.cluster.wait("the driver to go", lambda: NODE not in nodes_of(dra, DAEMON_SET))
    for npu in ("npu0", "npu1"):
        simulation.tell("add", npu)
    dra.cluster.wait("all devices again", lambda: len(dra.devices(NODE)) == 6)
    dra.wait_ready()


def label(dra: DraProduct) -> str | None:
    found: str | None = dra.cluster.get("node", NODE)["metadata"]["labels"].get(FAMILY)
    return found


def nodes_of(dra: DraProduct, daemon_set: str) -> dict[str, str]:
    """Where it has pods, by node their names."""
    selector = f"--selector=app.kubernetes.io/name={daemon_set}"
    items = dra.cluster.get("pods", "--namespace=kube-system", selector)["items"]
    return {item["spec"]["nodeName"]: item["metadata"]["name"] for item in items}


def log_of_labeller(dra: DraProduct) -> str:
    return dra.cluster.kubectl("logs", "--namespace=kube-system", nodes_of(dra, LABELLER)[NODE])
