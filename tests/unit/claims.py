"""ResourceClaims as the API server sends them, and the devices of a node, for tests to change."""

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from furiosa_npu.allocation.container_edits import container_edits
from furiosa_npu.allocation.partition import partition_of, restricted
from furiosa_npu.dra_driver.claim import Claim, ClaimName, parse_claim
from furiosa_npu.dra_driver.preparation import Looked, Looks, Node
from furiosa_npu.hardware.reading import Reading, Roots
from tests.unit.readings import renegade, warboy

DRIVER = "npu.furiosa.ai"
POOL = "node-1"

UIDS = [f"0a1b2c3d-0000-4000-8000-{number:012d}" for number in range(10)]


def result(device: str, request: str = "npu", **more: Any) -> dict[str, Any]:
    """One entry of `status.allocation.devices.results`."""
    return {"request": request, "driver": DRIVER, "pool": POOL, "device": device, **more}


def config(parameters: Mapping[str, Any], *requests: str, source: str = "FromClaim") -> dict[str, Any]:
    """One entry of `status.allocation.devices.config`; apiVersion and kind are put in."""
    whole = {"apiVersion": "npu.furiosa.ai/v1alpha1", "kind": "NpuConfig", **parameters}
    return {"source": source, "requests": list(requests), "opaque": {"driver": DRIVER, "parameters": whole}}


def claim_document(
    name: str, results: Sequence[Mapping[str, Any]], configs: Sequence[Mapping[str, Any]] = (), *, uid: str = UIDS[0]
) -> dict[str, Any]:
    """A claim in namespace default, allocated, reserved for one pod."""
    devices = {"results": list(results), "config": list(configs)}
    document = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"namespace": "default", "name": name, "uid": uid},
        "spec": {"devices": {"requests": [{"name": "npu", "exactly": {"deviceClassName": "npu.furiosa.ai"}}]}},
        "status": {
            "allocation": {"devices": devices, "nodeSelector": {"nodeSelectorTerms": []}},
            "reservedFor": [{"resource": "pods", "name": f"{name}-0", "uid": "9f"}],
        },
    }
    return copy.deepcopy(document)


def claim(
    name: str, results: Sequence[Mapping[str, Any]], configs: Sequence[Mapping[str, Any]] = (), *, uid: str = UIDS[0]
) -> Claim:
    return parse_claim(claim_document(name, results, configs, uid=uid), DRIVER)


def named(name: str, uid: str = UIDS[0]) -> ClaimName:
    return ClaimName("default", name, uid)


def whole(card: Reading, refusal: str | None = None) -> Looked:
    """A whole card as a device."""
    return Looked(card.uuid or "", partition_of(card).pes, card, refusal)


def part(card: Reading, *pes: int) -> Looked:
    """Some PEs of a card as a device."""
    return whole(restricted(card, pes))


WARBOYS: Looks = {"npu-w0": whole(warboy(0)), "npu-w1": whole(warboy(1))}
RENEGADES: Looks = {"npu-r0": whole(renegade(0)), "npu-r1": whole(renegade(1))}


def node(boot_id: str = "boot-1") -> Node:
    edits = partial(container_edits, roots=Roots("/dev", "/sys"), furiosactl_host_path=None)
    return Node(POOL, boot_id, "fused", edits)
