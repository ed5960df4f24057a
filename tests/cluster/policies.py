"""What agents may write at the API server where the admission policies are applied, as a table to try."""

from typing import Any, NamedTuple

from tests.cluster.dra import DAEMON_SET, DRIVER
from tests.cluster.pods import PLAIN

LABELLER, PLUGIN = "furiosa-npu-labeller", "furiosa-npu-plugin"
AGENTS = (LABELLER, PLUGIN, DAEMON_SET)

TAINT, BUSY = "npu.furiosa.ai/not-ready", "example.com/busy"

_NOTHING_ELSE = (
    "an agent of furiosa-npu writes no annotation or other field of its node, and no taint, but that device plugin and "
    "DRA driver remove npu.furiosa.ai/not-ready"
)
_ITS_LABELS = "an agent of furiosa-npu writes the labels of docs/labels.md alone"
_ITS_CONDITION = "an agent of furiosa-npu writes of its node's status the condition FuriosaNPUHealthy alone"
_ITS_DRIVER = f"an agent of furiosa-npu writes slices of the driver {DRIVER} alone"
_SLICES = "/apis/resource.k8s.io/v1/resourceslices"
_STRATEGIC = "application/strategic-merge-patch+json"


class Try(NamedTuple):
    """One request, by an agent that RBAC lets write this of any node. Nothing of it is carried out: a dry run."""

    agent: str
    method: str
    path: str
    content_type: str
    body: object
    refusal: str | None
    """None: the API server takes it"""


def tries(node: str, other: str) -> tuple[Try, ...]:
    """`node`: the agent's own, with the taints TAINT and BUSY; `other` has a slice of its name."""
    of_token = f"its token is of a pod on {node}"
    node_alone = f"an agent of furiosa-npu writes its own node alone: {of_token}, the object is {other}"
    slices_alone = f"an agent of furiosa-npu writes slices of its own node alone: {of_token}, the slice is of {other}"

    def labels(agent: str, of: str, told: dict[str, str | None], refusal: str | None) -> Try:
        return _patch(agent, of, {"metadata": {"labels": told}}, refusal)

    def condition(agent: str, of: str, type_: str, refusal: str | None) -> Try:
        told = {"type": type_, "status": "True", "reason": "Tried", "message": "tried"}
        return _patch(agent, f"{of}/status", {"status": {"conditions": [told]}}, refusal)

    def taints(agent: str, of: str, keys: list[str], refusal: str | None, **others: object) -> Try:
        left = [{"key": key, "value": "yes", "effect": "PreferNoSchedule"} for key in keys]
        return _patch(agent, of, {"spec": {"taints": left, **others}}, refusal)

    return (
        labels(LABELLER, node, {"alpha.furiosa.ai/npu.family": "warboy", "alpha.furiosa.ai/npu.hwtype": None}, None),
        labels(LABELLER, node, {"furiosa.ai/npu.count": "8", "furiosa.ai/driver.version": None}, None),
        labels(LABELLER, other, {"alpha.furiosa.ai/npu.family": "warboy"}, node_alone),
        labels(LABELLER, node, {"kubernetes.io/hostname": other}, _ITS_LABELS),
        labels(LABELLER, node, {"kubernetes.io/hostname": None}, _ITS_LABELS),
        _patch(LABELLER, node, {"metadata": {"annotations": {"tried": "yes"}}}, _NOTHING_ELSE),
        _patch(LABELLER, node, {"spec": {"unschedulable": True}}, _NOTHING_ELSE),
        taints(LABELLER, node, [BUSY], _NOTHING_ELSE),
        *(
            one
            for agent in (PLUGIN, DAEMON_SET)
            for one in (
                condition(agent, node, "FuriosaNPUHealthy", None),
                condition(agent, other, "FuriosaNPUHealthy", node_alone),
                condition(agent, node, "Ready", _ITS_CONDITION),
                *(
                    _patch(agent, f"{node}/status", {"status": {counts: {PLAIN: "9"}}}, _ITS_CONDITION)
                    for counts in ("capacity", "allocatable")
                ),
                _patch(agent, f"{node}/status", {"metadata": {"labels": {"tried": "yes"}}}, _ITS_LABELS),
                labels(agent, node, {"tried": "yes"}, _ITS_LABELS),
                taints(agent, node, [BUSY], None),
                taints(agent, node, [TAINT], _NOTHING_ELSE),
                taints(agent, node, [TAINT, BUSY, "example.com/tried"], _NOTHING_ELSE),
                taints(agent, node, [BUSY], _NOTHING_ELSE, unschedulable=True),
                taints(agent, other, [TAINT], node_alone),
            )
        ),
        _create(slice_of("own", node), None),
        _create(slice_of("another", other), slices_alone),
        _create(slice_of("own", node, "other.example"), _ITS_DRIVER),
        Try(DAEMON_SET, "DELETE", f"{_SLICES}/{other}?dryRun=All", "", None, slices_alone),
    )


def slice_of(name: str, node: str, driver: str = DRIVER) -> dict[str, Any]:
    """Of a pool that is named as the slice."""
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {"driver": driver, "nodeName": node, "pool": pool, "devices": []},
    }


def refusal_in(status: int, message: str) -> str | None:
    """The policy's words of an answer; None where the request was taken."""
    if status in (200, 201):
        return None
    _, denied, words = message.partition("denied request: ")
    return words if status == 403 and denied else f"{status}: {message}"


def _patch(agent: str, place: str, body: object, refusal: str | None) -> Try:
    return Try(agent, "PATCH", f"/api/v1/nodes/{place}?dryRun=All", _STRATEGIC, body, refusal)


def _create(body: object, refusal: str | None) -> Try:
    return Try(DAEMON_SET, "POST", f"{_SLICES}?dryRun=All", "application/json", body, refusal)
