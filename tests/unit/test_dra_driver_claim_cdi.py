"""What containers get through CDI, and what the kubelet is told."""

from furiosa_npu.allocation.container_edits import Mount
from furiosa_npu.cdi.specification import to_document
from furiosa_npu.dra_driver.claim_cdi import AnsweredDevice, answer, device_name, file_name, specification, uid_of_file
from furiosa_npu.dra_driver.preparation import prepare
from furiosa_npu.dra_driver.prepared import PreparedClaim
from tests.unit.cdi_rules import complaints
from tests.unit.claims import POOL, UIDS, WARBOYS, claim, node, result


def _prepared(*devices: tuple[str, str]) -> PreparedClaim:
    """`(device, request)`"""
    of = claim("train", [result(device, request) for device, request in devices])
    return prepare(of, of.results or (), WARBOYS, {}, node())


def test_the_specification_has_a_device_a_request_with_environment_and_mounts_and_one_an_npu_with_files() -> None:
    """Compared whole; the static devices of the node carry no environment, this one names its card."""
    prepared = _prepared(("npu-w0", "npu"))
    request = prepared.requests[0]._replace(mounts=(Mount("/opt/furiosactl", "/usr/bin/furiosactl"),))
    prepared = prepared._replace(requests=(request,))
    files = ["npu0", "npu0pe0", "npu0pe1", "npu0pe0-1", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0_mgmt"]
    document = to_document(specification(prepared))
    assert complaints(document) == []
    assert document == {
        "cdiVersion": "0.5.0",
        "kind": "npu.furiosa.ai/claim",
        "devices": [
            {
                "name": device_name(prepared, request),
                "containerEdits": {
                    "env": [
                        "FURIOSA_DEVICES=npu:0:0-1",
                        "NPU_DEVNAME=npu0pe0-1",
                        "NPU_NPUNAME=npu0",
                        "NPU_PENAME=pe0-1",
                    ],
                    "mounts": [
                        {
                            "hostPath": "/opt/furiosactl",
                            "containerPath": "/usr/bin/furiosactl",
                            "options": ["ro", "nosuid", "nodev", "rbind", "rprivate"],
                        }
                    ],
                },
            },
            {
                "name": f"{device_name(prepared, request)}.npu-w0",
                "containerEdits": {
                    "deviceNodes": [{"path": f"/dev/{name}", "permissions": "rw"} for name in files],
                },
            },
        ],
    }


def test_the_kubelet_is_told_each_device_with_a_cdi_device_of_its_own_and_that_of_its_whole_request() -> None:
    """Its own first: by it the pod's status tells the health of one from another's. Under the request's name without
    subrequest: it is the one by which a pod's container asks.
    """
    prepared = _prepared(("npu-w0", "npu/two"), ("npu-w1", "npu/two"))
    name = f"npu.furiosa.ai/claim={device_name(prepared, prepared.requests[0])}"
    assert answer(prepared) == (
        AnsweredDevice(("npu",), POOL, "npu-w0", (f"{name}.npu-w0", name), None),
        AnsweredDevice(("npu",), POOL, "npu-w1", (f"{name}.npu-w1", name), None),
    )
    assert name.startswith(f"npu.furiosa.ai/claim={UIDS[0]}-npu-")


def test_each_cdi_device_that_the_kubelet_is_told_is_in_the_specification() -> None:
    """Also where an NPU has no file to give, as one that admin access only looks on."""
    prepared = _prepared(("npu-w0", "npu"), ("npu-w1", "npu"))
    request = prepared.requests[0]
    bare = request.devices[0]._replace(device_nodes=())
    prepared = prepared._replace(requests=(request._replace(devices=(bare, request.devices[1])),))
    document = to_document(specification(prepared))
    assert complaints(document) == []
    told = {name.partition("=")[2] for device in answer(prepared) for name in device.cdi_device_ids}
    assert told == {device["name"] for device in document["devices"]}
    assert [len(device.cdi_device_ids) for device in answer(prepared)] == [1, 2]


def test_another_content_has_another_name() -> None:
    """A claim that is prepared again with another card must not get the last one from the runtime's memory."""
    names = [device_name(of, of.requests[0]) for of in (_prepared(("npu-w0", "npu")), _prepared(("npu-w1", "npu")))]
    assert len(set(names)) == 2
    assert names[0] == device_name(_prepared(("npu-w0", "npu")), _prepared(("npu-w0", "npu")).requests[0])


def _container(prepared: PreparedClaim) -> tuple[dict[str, str], set[str]]:
    """Environment and device files of a container with the whole claim, as runtimes inject them: in order."""
    edits = {one["name"]: one["containerEdits"] for one in to_document(specification(prepared))["devices"]}
    given = [edits[name.partition("=")[2]] for device in answer(prepared) for name in device.cdi_device_ids]
    environment = dict(variable.split("=", 1) for one in given for variable in one.get("env", ()))
    return environment, {node["path"] for one in given for node in one.get("deviceNodes", ())}


def test_in_a_container_of_two_requests_the_last_ones_variables_stay_and_the_files_of_both_are_there() -> None:
    """What NPU_* can say is one request's; furiosactl, which reads the files, shows all."""
    environment, files = _container(_prepared(("npu-w0", "a"), ("npu-w1", "b")))
    assert environment["NPU_DEVNAME"] == "npu1pe0-1"
    assert {"/dev/npu0pe0-1", "/dev/npu1pe0-1"} <= files
    environment, files = _container(_prepared(("npu-w0", "a"), ("npu-w1", "a")))
    assert environment["NPU_DEVNAME"] == "npu0pe0-1,npu1pe0-1"
    assert {"/dev/npu0pe0-1", "/dev/npu1pe0-1"} <= files


def test_a_file_is_found_to_its_claim_and_a_strangers_file_is_not() -> None:
    """The CDI folder is shared with other drivers and with the node's own specification."""
    assert file_name(UIDS[0]) == f"npu.furiosa.ai-claim_{UIDS[0]}.json"
    assert uid_of_file(file_name(UIDS[0])) == UIDS[0]
    for name in ("furiosa.ai-npu.json", "npu.furiosa.ai-claim.json", f"gpu.example.com-claim_{UIDS[0]}.json"):
        assert uid_of_file(name) is None
