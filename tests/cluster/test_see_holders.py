"""The component see-holders: as kubectl renders it and its overlay, and what the plugin sees with it."""

import copy
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import described
from tests.cluster.cluster import Cluster
from tests.cluster.described import EventRow
from tests.cluster.hosts import Program
from tests.cluster.pages import FUSER
from tests.cluster.pods import ALPHA
from tests.cluster.product import DEPLOYMENTS, REPOSITORY, Product
from tests.cluster.product import OVERLAY as SIMULATED
from tests.cluster.releases import KUBERNETES_1_37
from tests.cluster.simulation import FOLDER

NODE = "warboy-node01"
OVERLAY = REPOSITORY / "kubernetes/overlays/see-holders"
COMPONENT = REPOSITORY / "kubernetes/components/see-holders"

Objects = dict[tuple[str, str], dict[str, Any]]


def _by_name(text: str) -> Objects:
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(text)}


def test_the_overlay_is_the_shipped_manifests_with_eyes_for_processes(cluster: Cluster) -> None:
    """Both plugins gain hostPID, two capabilities and AppArmor's absence; all else is as shipped, `drop: ALL` too."""
    rendered = _by_name(cluster.kubectl("kustomize", str(OVERLAY)))
    expected = copy.deepcopy(_by_name(cluster.kubectl("kustomize", str(DEPLOYMENTS))))
    for (kind, name), found in expected.items():
        if kind == "DaemonSet" and name.startswith("furiosa-npu-plugin"):
            template = found["spec"]["template"]
            template["metadata"]["annotations"] = {
                "container.apparmor.security.beta.kubernetes.io/plugin": "unconfined"
            }
            template["spec"]["hostPID"] = True
            capabilities = template["spec"]["containers"][0]["securityContext"]["capabilities"]
            capabilities["add"] = ["SYS_PTRACE", "DAC_READ_SEARCH"]
            assert capabilities["drop"] == ["ALL"]
    assert rendered == expected
    cluster.kubectl("apply", "--dry-run=server", f"--kustomize={OVERLAY}")


@pytest.mark.only_on(KUBERNETES_1_37, why="the kustomize of kubectl 1.20 knows no components")
def test_the_component_does_what_the_overlay_does(cluster: Cluster) -> None:
    """Named by a user's own overlay, as its first lines say."""
    folder = cluster.run.folder / "with-component"
    folder.mkdir()
    overlay = {"resources": [os.path.relpath(DEPLOYMENTS, folder)], "components": [os.path.relpath(COMPONENT, folder)]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    rendered = cluster.kubectl("kustomize", str(folder))
    assert _by_name(rendered) == _by_name(cluster.kubectl("kustomize", str(OVERLAY)))


@pytest.fixture(scope="module")
def seeing(product: Product) -> Iterator[Product]:
    """The component over the simulated overlay, as a user's own overlay has it; taken away afterwards."""
    folder = product.cluster.run.folder / "see-holders"
    folder.mkdir()
    shutil.copy(COMPONENT / "see-holders.yaml", folder)
    overlay = {"bases": [os.path.relpath(SIMULATED, folder)], "patchesStrategicMerge": ["see-holders.yaml"]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    product.cluster.kubectl("apply", f"--kustomize={folder}")
    product.restart_plugins()
    yield product
    product.cluster.kubectl("apply", f"--kustomize={SIMULATED}")
    product.restart_plugins()


@contextmanager
def holder(product: Product, npu: str) -> Iterator[int]:
    """A process on the node, of a user that is not root, with a PE open; its id there.

    No driver stands behind a simulated device's number: O_PATH opens it all the same.
    """
    script = f"import os, time; os.open('{FOLDER}/dev/{npu}pe0', os.O_PATH); time.sleep(600)"
    argv = ["setpriv", "--reuid=4711", "--regid=4711", "--clear-groups", "/usr/bin/python3", "-c", script]
    program = Program(product.cluster.node(NODE).host, "holder", argv, product.cluster.run.logs / "holder.log")
    program.start()
    try:
        status = Path(f"/proc/{program.pid}/status").read_text()
        (ids,) = (line.split() for line in status.splitlines() if line.startswith("NSpid:"))
        yield int(ids[-1])
    finally:
        program.stop()


def test_it_has_these_two_capabilities_and_no_other(seeing: Product) -> None:
    """CAP_DAC_READ_SEARCH is bit 2, CAP_SYS_PTRACE bit 19 (capability.h)."""
    script = "print(open('/proc/self/status').read())"
    status = seeing.in_plugin(NODE, "/usr/bin/python3.11", "-I", "-c", script)
    sets = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    assert {name: int(bits, 16) for name, bits in sets.items() if int(bits, 16)} == dict.fromkeys(
        ("CapPrm", "CapEff", "CapBnd"), 1 << 2 | 1 << 19
    )


def test_perf_regs_that_are_closed_are_read_and_do_not_make_a_card_busy(seeing: Product) -> None:
    """Mode 000, which holds off root without the capability: the second reading decides, and both cards are offered."""
    node = seeing.cluster.node(NODE)
    modes = node.shell(f"stat --format=%a {FOLDER}/sys/class/npu_mgmt/npu?pe*/perf_regs").split()
    assert modes == ["0"] * 6
    seeing.wait_until_offered()
    idle = {"npu0": "idle", "npu1": "idle"}
    seeing.cluster.wait(
        "both to be idle", lambda: {name: state for name, (_, state, *_) in seeing.status(NODE).items()} == idle
    )
    assert "perf_regs of npu0pe0, npu0pe1, npu0pe0-1 can be read" in seeing.plugin_log(NODE)


def test_a_process_of_another_user_is_named_with_its_id_and_command(seeing: Product) -> None:
    """In the plugin's status and as an event on the node; the card is offered again when it lets go."""
    seeing.wait_until_offered()
    with holder(seeing, "npu1") as pid:
        reason = f"in use by process {pid} (python3), which no pod served here accounts for"
        seeing.cluster.wait(
            "the card to be seen in use", lambda: seeing.status(NODE)["npu1"][1:3] == ("occupied", reason)
        )
        said = EventRow("Warning", "NPUOccupied", "furiosa-npu-plugin", "")
        said = said._replace(message=f"npu1 ({seeing.uuid(NODE, 'npu1')}) is occupied: {reason}")
        seeing.cluster.wait("the event", lambda: said in described.events(seeing.cluster, "node", NODE))
        named = FUSER.replace("/dev/npu0", f"{FOLDER}/dev/npu1")
        assert f" {pid} " in seeing.cluster.node(NODE).shell(f"{named} 2>&1")
        seeing.wait_allocatable(NODE, ALPHA, 1)
    seeing.cluster.wait("the card to be idle", lambda: seeing.status(NODE)["npu1"][1] == "idle")


def test_what_the_device_cgroup_keeps_from_it_is_said(seeing: Product) -> None:
    """No events of opens and closes in a container; those of files that come and go are there."""
    said = "the kernel does not tell who opens or closes a device file"
    log = seeing.cluster.wait(
        "a card's device files to be known", lambda: log if said in (log := seeing.plugin_log(NODE)) else None
    )
    assert "no events from the kernel" not in log
