"""The DRA driver where it was applied to a cluster whose API server has no resource.k8s.io/v1."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster import described
from tests.cluster.cluster import Cluster
from tests.cluster.commands import CommandFailed
from tests.cluster.described import EventRow
from tests.cluster.pages import NOT_PUBLISHED
from tests.cluster.product import DEPLOYMENTS
from tests.cluster.releases import KUBERNETES_1_20
from tests.cluster.test_as_shipped import FAMILY, NODE
from tests.cluster.typed import typed

pytestmark = pytest.mark.only_on(KUBERNETES_1_20, why="the newest has that API")

NAME = "furiosa-npu-dra-driver"
MANIFEST = DEPLOYMENTS / "dra-driver.yaml"
IN_KUBE_SYSTEM = "--namespace=kube-system"


@pytest.fixture
def driver(cluster_with_image: Cluster) -> Iterator[Cluster]:
    """The manifest as it is but for `maxSurge`, which so old a cluster does not know and refuses; on a node that is
    labelled by hand. Afterwards all of it is gone.
    """
    cluster = cluster_with_image
    cluster.kubectl("label", "node", NODE, f"{FAMILY}=warboy")
    with pytest.raises(CommandFailed, match="maxSurge"):
        cluster.kubectl("apply", f"--filename={MANIFEST}")
    *_, daemon_set = yaml.safe_load_all(MANIFEST.read_text())
    del daemon_set["spec"]["updateStrategy"]
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps(daemon_set))
    yield cluster
    cluster.kubectl("delete", f"--filename={MANIFEST}", "--timeout=60s")
    cluster.kubectl("label", "node", NODE, f"{FAMILY}-")
    cluster.wait("the driver's pod to end", lambda: not driver_pods(cluster))


def driver_pods(cluster: Cluster) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cluster.get("pods", IN_KUBE_SYSTEM, f"--selector=app.kubernetes.io/name={NAME}")[
        "items"
    ]
    return found


def test_an_api_server_without_dra_is_named_once_and_the_driver_waits(driver: Cluster) -> None:
    """In an event of the node and in the log; not ready, and no crash loop."""
    text = "nothing is published: the API server does not serve resource.k8s.io/v1, which Kubernetes has since 1.34"
    event = EventRow("Warning", "NPUsNotPublished", NAME, text)
    driver.wait("the node's event", lambda: event in described.events(driver, "node", NODE))
    shown = typed(driver, NOT_PUBLISHED)
    assert f"node/{NODE}" in shown
    assert text in shown
    (pod,) = driver.wait("it to be told to run", lambda: [one for one in driver_pods(driver) if is_running(one)])
    (status,) = pod["status"]["containerStatuses"]
    assert (status["restartCount"], status["ready"]) == (0, False)
    assert driver.kubectl("logs", IN_KUBE_SYSTEM, pod["metadata"]["name"]).count(text) == 1


def is_running(pod: dict[str, Any]) -> bool:
    """The driver speaks sooner than its kubelet of it."""
    return bool(pod["status"]["phase"] == "Running")
