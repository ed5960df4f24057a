"""What a claim's user sees of its devices in `status.devices`."""

import json

import pytest

from furiosa_npu.cluster.api import right
from furiosa_npu.dra_driver.claim_status import Ready, apply_status
from furiosa_npu.dra_driver.preparation import prepare
from tests.unit.claims import DRIVER, POOL, UIDS, WARBOYS, claim, named, node, result

OF = claim("train", [result("npu-w0", shareID="5e")])
PREPARED = prepare(OF, OF.results or (), WARBOYS, {}, node())


def test_the_claims_devices_are_applied_with_files_pes_uuid_and_the_condition_ready() -> None:
    """Server-side apply, by our own field manager: entries of other drivers are not ours and stay."""
    ready = {"npu-w0": Ready(False, "Failed", "npu0 has failed: not alive", 1_769_851_800.0)}
    request = apply_status(PREPARED, DRIVER, ready)
    assert request.method == "PATCH"
    assert request.content_type == "application/apply-patch+yaml"
    assert request.path == (
        "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/train/status"
        "?fieldManager=furiosa-npu-dra-driver&force=true"
    )
    assert right(request) == "patch resourceclaims/status"
    files = ["npu0", "npu0pe0", "npu0pe1", "npu0pe0-1", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0_mgmt"]
    assert json.loads(request.body or "") == {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"namespace": "default", "name": "train", "uid": UIDS[0]},
        "status": {
            "devices": [
                {
                    "driver": DRIVER,
                    "pool": POOL,
                    "device": "npu-w0",
                    "shareID": "5e",
                    "data": {"deviceFiles": [f"/dev/{name}" for name in files], "pes": [0, 1], "uuid": "WARBOY-0"},
                    "conditions": [
                        {
                            "type": "Ready",
                            "status": "False",
                            "reason": "Failed",
                            "message": "npu0 has failed: not alive",
                            "lastTransitionTime": "2026-01-31T09:30:00Z",
                        }
                    ],
                }
            ]
        },
    }


def test_a_device_that_two_requests_share_is_said_once() -> None:
    """The API server refuses the same device twice."""
    of = claim("watch", [result("npu-w0", "a", adminAccess=True), result("npu-w0", "b", adminAccess=True)])
    request = apply_status(prepare(of, of.results or (), WARBOYS, {}, node()), DRIVER, {})
    assert [entry["device"] for entry in json.loads(request.body or "")["status"]["devices"]] == ["npu-w0"]


def test_a_name_that_would_leave_its_path_makes_no_request() -> None:
    """Whatever the kubelet or the state file said."""
    with pytest.raises(ValueError, match=r"name: found '../nodes', expected up to 253"):
        apply_status(PREPARED._replace(named=named("../nodes")), DRIVER, {})
