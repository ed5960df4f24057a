"""Commands of the documents' pages, typed as they stand there; each prints what its page says."""

import re
from collections.abc import Iterator
from functools import partial

import pytest

from tests.cluster.pages import CARD, CHANGES, LOOKS, NOTHING_OF_DRA, POLICIES, REFUSED, VERSION
from tests.cluster.pods import ALPHA, PLAIN, npu_pod
from tests.cluster.product import Product
from tests.cluster.releases import KUBERNETES_1_37, Release
from tests.cluster.typed import typed
from tests.cluster.workloads import Workloads

NODE, OTHER = "warboy-node01", "warboy-node02"


@pytest.fixture
def trouble(product: Product, workloads: Workloads) -> Iterator[None]:
    """No card of the node is free, and a pod asks for more than any node has."""
    simulation = product.simulations[NODE]
    simulation.tell("fail", "npu1")
    simulation.tell("occupy", "npu0")
    waiting = npu_pod("npu-pod", {ALPHA: 3})
    del waiting["spec"]["nodeSelector"]
    workloads.apply(waiting)
    workloads.wait_unschedulable("npu-pod")
    yield
    simulation.tell("recover", "npu1")
    simulation.tell("release", "npu0")


def test_what_a_page_has_for_trouble_shows_it(product: Product, release: Release, trouble: None) -> None:
    """As soon as the agents and the kubelet have told."""
    for command, shown in LOOKS.items():
        product.cluster.wait(f"{command!r} to show {shown!r}", partial(shows, product, command, shown))
    assert release.number in typed(product.cluster, VERSION).partition("Server Version")[2]


def shows(product: Product, command: str, shown: str) -> bool:
    return re.search(shown, typed(product.cluster, command), re.MULTILINE) is not None


@pytest.mark.alone
def test_a_pod_that_was_refused_says_which_npu_and_why(product: Product, workloads: Workloads) -> None:
    """It asks for more under both names than there is; the scheduler reckons each name by itself.

    Half a second after the first answer the kubelet has our next list, and would not ask us for the second.
    """
    workloads.apply(npu_pod("npu-pod", {ALPHA: 1, PLAIN: 2}, OTHER))
    failed = workloads.wait_for("npu-pod", "Failed")
    assert failed["status"]["reason"] == "UnexpectedAdmissionError"
    assert re.search(rf"npu\d {CARD} is in use under the name ({ALPHA}|{PLAIN})", typed(product.cluster, REFUSED))


@pytest.mark.parametrize("command", CHANGES)
def test_the_api_server_takes_a_change_as_it_stands(product: Product, command: str) -> None:
    """Asked without doing it, which kubectl 1.20 does not say of a patch; newer ones name the namespace."""
    done = " patched" if "kubectl patch" in command else r" deleted .*\(server dry run\)"
    assert re.search(done, typed(product.cluster, f"{command} --dry-run=server"))


@pytest.mark.only_on(KUBERNETES_1_37, why="older versions know no such policies")
def test_the_api_server_takes_the_policies_as_they_stand(product: Product) -> None:
    """Asked without doing it."""
    assert typed(product.cluster, f"{POLICIES} --dry-run=server").count(" created (server dry run)") == 6


@pytest.mark.only_on(KUBERNETES_1_37, why="older versions have no DRA")
@pytest.mark.parametrize("command", NOTHING_OF_DRA)
def test_a_cluster_without_a_dra_driver_shows_nothing_of_one(product: Product, command: str) -> None:
    """By which somebody sees that the vendor's is gone."""
    assert typed(product.cluster, command) == ""
