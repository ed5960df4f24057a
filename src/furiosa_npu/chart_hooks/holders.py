"""Which pods hold NPUs, as the API server tells of pods and claims. Pure.

A pod that has a node and has not ended holds what it asks for, whether the kubelet has handed it out yet or not.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.hardware.reading import Family
from furiosa_npu.node_labeller.labels import FAMILY_LABEL
from furiosa_npu.watch.options import RESOURCES

PODS = "/api/v1/pods"
ON_A_NODE = "fieldSelector=spec.nodeName%21%3D%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed"
CLAIMS = "/apis/resource.k8s.io/v1/resourceclaims"


class Holder(NamedTuple):
    """A pod that holds NPUs, or is about to be given them."""

    namespace: str
    pod: str
    node: str
    what: str
    """`2 x furiosa.ai/npu`, `claim train-npu-x7k2p`"""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod} on {self.node}: {self.what}"


def by_limits(pods: Iterable[dict[str, Any]]) -> tuple[Holder, ...]:
    """Of pods on nodes: those whose containers ask for NPUs by a resource name, in order."""
    found = []
    for pod in pods:
        spec = pod["spec"]
        asked = [(name, amount) for name in RESOURCES if (amount := _most(spec, name)) > 0]
        if asked:
            what = ", ".join(f"{amount} x {name}" for name, amount in asked)
            metadata = pod["metadata"]
            found.append(Holder(metadata["namespace"], metadata["name"], spec.get("nodeName", "no node"), what))
    return tuple(found)


def by_claims(claims: Iterable[dict[str, Any]]) -> tuple[Holder, ...]:
    """The pods for which claims are reserved that have NPUs of the DRA driver, in order."""
    found = []
    for claim in claims:
        status = claim.get("status") or {}
        results = ((status.get("allocation") or {}).get("devices") or {}).get("results") or ()
        pools = sorted({str(one.get("pool")) for one in results if one.get("driver") == DRIVER})
        if not pools:
            continue
        metadata = claim["metadata"]
        found += [
            Holder(metadata["namespace"], str(user["name"]), ", ".join(pools), f"claim {metadata['name']}")
            for user in status.get("reservedFor") or ()
            if user.get("resource") == "pods"
        ]
    return tuple(found)


def on_others_nodes(holders: Iterable[Holder], nodes: Iterable[dict[str, Any]], family: Family) -> tuple[Holder, ...]:
    """Those on nodes that the labeller does not call the family's, by whose label the agents go there."""
    own = {
        node["metadata"]["name"] for node in nodes if (node["metadata"].get("labels") or {}).get(FAMILY_LABEL) == family
    }
    return tuple(holder for holder in holders if holder.node not in own)


def together(limits: Iterable[Holder], claims: Iterable[Holder]) -> tuple[Holder, ...]:
    """Each pod once: for one that asks by its limits the scheduler may have made a claim."""
    found = {(holder.namespace, holder.pod): holder for holder in (*claims, *limits)}
    return tuple(found[key] for key in sorted(found))


def _most(spec: dict[str, Any], resource: str) -> int:
    """What the app containers take together, or one init container alone, whichever is more."""
    apps = sum(_amount(container, resource) for container in spec.get("containers") or ())
    return max([apps, *(_amount(container, resource) for container in spec.get("initContainers") or ())])


def _amount(container: dict[str, Any], resource: str) -> int:
    resources = container.get("resources") or {}
    asked = (resources.get("limits") or {}).get(resource) or (resources.get("requests") or {}).get(resource) or "0"
    text = str(asked)
    return int(text) if text.isascii() and text.isdecimal() else 1  # 1k: more than none


def refusal(holders: Iterable[Holder], advice: str) -> str | None:
    """What to say to whoever must wait for these pods, in one line, which Helm shows; None: there are none."""
    named = [str(holder) for holder in holders]
    if not named:
        return None
    pods = "1 pod holds NPUs" if len(named) == 1 else f"{len(named)} pods hold NPUs"
    return f"{pods}, nothing was changed: {'; '.join(named)}. {advice}"
