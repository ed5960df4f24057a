"""The DRA plane's manifests unchanged, with the host's own /dev and /sys, on a node that has no NPU: the README's way.

Runs before the device plugin's overlay is applied, since one plane at a time hands out a node's cards.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster import privilege
from tests.cluster.cluster import Cluster
from tests.cluster.privilege import DRA_DRIVER, DRA_RIGHTS
from tests.cluster.product import DEPLOYMENTS, REPOSITORY
from tests.cluster.releases import KUBERNETES_1_37
from tests.cluster.test_as_shipped import FAMILY, NODE, readiness

pytestmark = pytest.mark.only_on(KUBERNETES_1_37, why="DRA as these manifests need it is there from 1.36 on")

MANIFESTS = [DEPLOYMENTS / f"{name}.yaml" for name in ("device-classes", "dra-driver")]


@pytest.fixture(scope="module")
def tried(cluster_with_image: Cluster) -> Iterator[dict[str, Any]]:
    """What was tried from inside the driver's container once it was Ready; afterwards all of it is gone.

    The label is given by hand, since there is no NPU.
    """
    cluster = cluster_with_image
    cluster.kubectl("label", "node", NODE, f"{FAMILY}=warboy")
    for manifest in MANIFESTS:
        cluster.kubectl("apply", f"--filename={manifest}")
    cluster.wait("the driver to be Ready", lambda: readiness(cluster, DRA_DRIVER) == (1, 1))
    found = privilege.try_inside(cluster, DRA_DRIVER, NODE, "/dev")
    found["remembered"] = privilege.remembered(cluster, DRA_DRIVER, NODE)
    yield found
    for manifest in MANIFESTS:
        cluster.kubectl("delete", f"--filename={manifest}", "--timeout=60s")
    cluster.kubectl("label", "node", NODE, f"{FAMILY}-")
    cluster.wait("the driver's pod to end", lambda: not cluster.get("pods", "--namespace=kube-system")["items"])


def test_the_readmes_manifests_are_ready_as_they_are(tried: dict[str, Any]) -> None:
    """Without a capability, and without a way to one."""
    sets = {name: ["0000000000000000"] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    user = [privilege.USERS[DRA_DRIVER]] * 4
    assert tried["status"] == {"Uid": user, "Gid": user, "NoNewPrivs": ["1"], "Seccomp": ["2"], **sets}
    assert tried["privileged"] == dict.fromkeys(tried["privileged"], "EPERM")


def test_the_driver_writes_where_the_manifest_names_it_and_nowhere_else(tried: dict[str, Any]) -> None:
    """The host's /dev, /sys and the kubelet's checkpoint are read-only mounts."""
    of_the_runtime = privilege.OF_THE_RUNTIME[DRA_DRIVER]
    assert set(tried["writable"]) - of_the_runtime == privilege.WRITABLE[DRA_DRIVER], tried["writable"]
    read_only = ["/", "/sys", "/dev", "/var/lib/kubelet/pod-resources", "/var/lib/kubelet/device-plugins"]
    assert {place: "EROFS" in tried["refused"].get(place, {}) for place in read_only} == dict.fromkeys(read_only, True)


def test_the_api_server_refuses_the_driver_all_but_the_named_rights(tried: dict[str, Any]) -> None:
    """With the pod's own token, which the process that serves never holds."""
    assert privilege.granted(tried["asked"], NODE) == DRA_RIGHTS
    assert tried["remembered"] == {"token": False, "place": True}


def test_the_overlay_goes_to_another_namespace(cluster: Cluster) -> None:
    """The API server takes all of it, and drops the namespace that kustomize writes on DeviceClasses."""
    folder = cluster.run.folder / "dra-elsewhere"
    folder.mkdir()
    base = os.path.relpath(REPOSITORY / "kubernetes/overlays/dra", folder)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"namespace": "default", "resources": [base]}))
    applied = cluster.kubectl("apply", "--dry-run=server", f"--kustomize={folder}", "--output=json")
    taken = Counter((one["kind"], one["metadata"].get("namespace")) for one in json.loads(applied)["items"])
    of_the_cluster = {("ClusterRole", None): 2, ("ClusterRoleBinding", None): 2, ("DeviceClass", None): 5}
    assert taken == {("DaemonSet", "default"): 2, ("ServiceAccount", "default"): 2} | of_the_cluster
