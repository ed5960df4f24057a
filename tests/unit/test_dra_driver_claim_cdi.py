"""What containers get through CDI, and what the kubelet is told."""

from collections.abc import Sequence

from furiosa_npu.allocation.container_edits import Mount
from furiosa_npu.cdi.specification import to_document
from furiosa_npu.dra_driver.claim_cdi import AnsweredDevice, answer, device_name, file_name, specification, uid_of_file
from furiosa_npu.dra_driver.preparation import prepare
from furiosa_npu.dra_driver.prepared import PreparedClaim, PreparedRequest
from tests.unit.cdi_rules import complaints
from tests.unit.claims import POOL, UIDS, WARBOYS, claim, node, result


def _prepared(*devices: tuple[str, str]) -> PreparedClaim:
    """`(device, request)`"""
    of = claim("train", [result(device, request) for device, request in devices])
    return prepare(of, of.results or (), WARBOYS, {}, node())


def test_the_specification_has_a_device_a_request_with_files_environment_and_mounts() -> None:
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
                    "deviceNodes": [{"path": f"/dev/{name}", "permissions": "rw"} for name in files],
                    "mounts": [
                        {
                            "hostPath": "/opt/furiosactl",
                            "containerPath": "/usr/bin/furiosactl",
                            "options": ["ro", "nosuid", "nodev", "rbind", "rprivate"],
                        }
                    ],
                },
            }
        ],
    }


def test_the_kubelet_is_told_each_device_with_the_cdi_device_of_its_whole_request() -> None:
    """Under the request's name without subrequest: it is the one by which a pod's container asks."""
    prepared = _prepared(("npu-w0", "npu/two"), ("npu-w1", "npu/two"))
    name = f"npu.furiosa.ai/claim={device_name(prepared, prepared.requests[0])}"
    assert answer(prepared) == (
        AnsweredDevice(("npu",), POOL, "npu-w0", (name,), None),
        AnsweredDevice(("npu",), POOL, "npu-w1", (name,), None),
    )
    assert name.startswith(f"npu.furiosa.ai/claim={UIDS[0]}-npu-")


def test_another_content_has_another_name() -> None:
    """A claim that is prepared again with another card must not get the last one from the runtime's memory."""
    names = [device_name(of, of.requests[0]) for of in (_prepared(("npu-w0", "npu")), _prepared(("npu-w1", "npu")))]
    assert len(set(names)) == 2
    assert names[0] == device_name(_prepared(("npu-w0", "npu")), _prepared(("npu-w0", "npu")).requests[0])


def _container(requests: Sequence[PreparedRequest]) -> tuple[dict[str, str], set[str]]:
    """Environment and device files of a container with several CDI devices, as runtimes inject them: in order."""
    environment: dict[str, str] = {}
    for request in requests:
        environment |= request.environment
    return environment, {node.container_path for request in requests for node in request.device_nodes}


def test_in_a_container_of_two_requests_the_last_ones_variables_stay_and_the_files_of_both_are_there() -> None:
    """What NPU_* can say is one request's; furiosactl, which reads the files, shows all."""
    prepared = _prepared(("npu-w0", "a"), ("npu-w1", "b"))
    environment, files = _container(prepared.requests)
    assert environment["NPU_DEVNAME"] == "npu1pe0-1"
    assert {"/dev/npu0pe0-1", "/dev/npu1pe0-1"} <= files
    environment, files = _container(_prepared(("npu-w0", "a"), ("npu-w1", "a")).requests)
    assert environment["NPU_DEVNAME"] == "npu0pe0-1,npu1pe0-1"
    assert {"/dev/npu0pe0-1", "/dev/npu1pe0-1"} <= files


def test_a_file_is_found_to_its_claim_and_a_strangers_file_is_not() -> None:
    """The CDI folder is shared with other drivers and with the node's own specification."""
    assert file_name(UIDS[0]) == f"npu.furiosa.ai-claim_{UIDS[0]}.json"
    assert uid_of_file(file_name(UIDS[0])) == UIDS[0]
    for name in ("furiosa.ai-npu.json", "npu.furiosa.ai-claim.json", f"gpu.example.com-claim_{UIDS[0]}.json"):
        assert uid_of_file(name) is None
