"""What `cleanup` takes away, and what it says."""

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.node import get_node, patch_node_labels
from furiosa_npu.node_labeller.board import NodesLabels
from furiosa_npu.node_labeller.cleanup import Cleanup, cleanup

FAMILY, COUNT, THEIRS = "alpha.furiosa.ai/npu.family", "furiosa.ai/npu.count", "furiosa.ai/npu.product"


def test_the_labels_that_the_labeller_wrote_go_and_another_agents_stay() -> None:
    """The two of the document in any case; more of them as the node's managed fields say."""
    labels = {FAMILY: "warboy", COUNT: "1", THEIRS: "warboy", "kept": "1"}
    own = [{"manager": "furiosa-npu", "fieldsV1": {"f:metadata": {"f:labels": {f"f:{COUNT}": {}}}}}]
    asked: list[ApiRequest] = []

    def ask(request: ApiRequest) -> Answer:
        asked.append(request)
        return Answer(200, {"metadata": {"labels": labels, "managedFields": own}}, None)

    report = f"removed {FAMILY}=warboy from node n1\nremoved {COUNT}=1 from node n1"
    assert cleanup(NodesLabels("n1"), ask) == Cleanup(report, None)
    assert asked == [get_node("n1"), patch_node_labels("n1", {FAMILY: None, COUNT: None})]
