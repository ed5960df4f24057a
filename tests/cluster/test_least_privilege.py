"""What the manifests promise of the agents' rights, tried from inside their containers."""

from typing import Any

import pytest

from tests.cluster import privilege
from tests.cluster.cluster import Cluster
from tests.cluster.commands import CommandFailed
from tests.cluster.privilege import LABELLER, PLUGIN, RIGHTS
from tests.cluster.product import DEPLOYMENTS, Product
from tests.cluster.releases import KUBERNETES_1_20
from tests.cluster.simulation import FOLDER

NODE = "warboy-node01"
NO_CAPABILITY = ["0000000000000000"]


@pytest.fixture(scope="module", params=[PLUGIN, LABELLER])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tried(product: Product, program: str) -> dict[str, Any]:
    """All tries in one container, made once."""
    return privilege.try_inside(product.cluster, program, NODE, f"{FOLDER}/dev")


def test_an_agent_has_no_capability_and_cannot_gain_one(program: str, tried: dict[str, Any]) -> None:
    """Not now, not by an executed file; the runtime's seccomp filter stands over its system calls."""
    sets = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), NO_CAPABILITY)
    user = [privilege.USERS[program]] * 4
    assert tried["status"] == {"Uid": user, "Gid": user, "NoNewPrivs": ["1"], "Seccomp": ["2"], **sets}


def test_an_agent_writes_where_the_manifests_name_it_and_nowhere_else(program: str, tried: dict[str, Any]) -> None:
    """Each folder and each file of the container was tried, whatever their modes say."""
    of_the_runtime = privilege.OF_THE_RUNTIME[program]
    assert set(tried["writable"]) - of_the_runtime == privilege.WRITABLE[program], tried["writable"]


def test_host_folders_that_are_only_read_are_read_only(program: str, tried: dict[str, Any]) -> None:
    """Not by their modes alone: the mount refuses, and so does the image's own file system."""
    read_only = ["/", "/sys", FOLDER, *(["/var/lib/kubelet/pod-resources"] if program == PLUGIN else [])]
    assert {place: "EROFS" in tried["refused"].get(place, {}) for place in read_only} == dict.fromkeys(read_only, True)


def test_no_device_file_of_a_card_can_be_opened(tried: dict[str, Any]) -> None:
    """The device cgroup answers EPERM, also to root."""
    devices = tried["devices"]
    assert f"{FOLDER}/dev/npu0" in devices
    assert devices == dict.fromkeys(devices, "EPERM")


def test_what_only_capabilities_allow_is_refused(tried: dict[str, Any]) -> None:
    """Mounts, namespaces, device files, other users, raw sockets, the kernel's log."""
    deeds = tried["privileged"]
    assert deeds == dict.fromkeys(deeds, "EPERM")


def test_the_api_server_refuses_all_but_the_named_rights(program: str, tried: dict[str, Any]) -> None:
    """With the pod's own token, one request for each right."""
    assert privilege.granted(tried["asked"], NODE) == RIGHTS[program]


def test_the_process_that_serves_never_holds_the_token(product: Product, program: str) -> None:
    """The child alone reads it. All of the process' memory was looked through: it knows where the token lies."""
    assert privilege.remembered(product.cluster, program, NODE) == {"token": False, "place": True}


@pytest.mark.parametrize("name", RIGHTS)
def test_an_account_can_do_what_any_account_can_and_the_named_rights(product: Product, name: str) -> None:
    """`kubectl auth can-i --list`, less what it says of an account that nobody gave a right."""
    own, any_account = (rules(product, f"system:serviceaccount:kube-system:{each}") for each in (name, "default"))
    assert any_account <= own
    assert {right for row in own - any_account for right in rights_of(row)} == RIGHTS[name]


def rules(product: Product, user: str) -> set[str]:
    """The rows of the table."""
    return set(product.cluster.kubectl("auth", "can-i", "--list", f"--as={user}").splitlines()[1:])


def rights_of(row: str) -> set[tuple[str, str]]:
    """(verb, resource) of a row such as `nodes   []   []   [get patch]`."""
    resource, *_ = row.split()
    return {(verb, resource) for verb in row.rpartition("[")[2].rstrip("]").split()}


@pytest.mark.only_on(KUBERNETES_1_20, why="newer ones know the policies: test_planes has them")
def test_a_cluster_that_knows_no_admission_policies_says_so(cluster: Cluster) -> None:
    """Their file alone is refused, as docs/security.md has it."""
    with pytest.raises(CommandFailed) as refused:
        cluster.kubectl("apply", f"--filename={DEPLOYMENTS / 'admission-policies.yaml'}")
    assert 'no matches for kind "ValidatingAdmissionPolicy"' in str(refused.value)
    assert not refused.value.output
