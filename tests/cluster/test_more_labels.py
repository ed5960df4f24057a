"""The labels that `--labels` adds, on a cluster: they come, follow the driver, and go with their option."""

from collections.abc import Iterator

import pytest

from tests.cluster.components import operations, patch, renew, take_back, until_renewed
from tests.cluster.product import Product

NODE, PLAIN_NODE = "warboy-node01", "plain-node01"
LABELLER = "furiosa-npu-labeller"
VENDOR = "furiosa.ai/"
THEIRS = {"furiosa.ai/somebody.elses": "yes"}
OF_HARDWARE = {
    "furiosa.ai/npu.count": "2",
    "furiosa.ai/npu.family": "warboy",
    "furiosa.ai/npu.product": "warboy",
    "furiosa.ai/npu.numa.count": "1",
    "furiosa.ai/npu.numa.largest": "2",
    "furiosa.ai/npu.numa.layout": "node0-2",
    "furiosa.ai/npu-1pe.count": "4",
    "furiosa.ai/npu.plane": "device-plugin",
}
OF_DRIVER = {
    "furiosa.ai/driver.version": "1.9.2",
    "furiosa.ai/driver.version.major": "1",
    "furiosa.ai/driver.version.minor": "9",
    "furiosa.ai/driver.version.patch": "2",
    "furiosa.ai/driver.version.metadata": "3def9c2",
    "furiosa.ai/firmware.version": "1.6.0",
    "furiosa.ai/firmware.version.major": "1",
    "furiosa.ai/firmware.version.minor": "6",
    "furiosa.ai/firmware.version.patch": "0",
    "furiosa.ai/firmware.version.metadata": "c1bebfd",
}


@pytest.fixture
def asked_for(product: Product) -> Iterator[None]:
    """All of them, by the shipped component; and none of them after the test."""
    name, value = next(iter(THEIRS.items()))
    product.cluster.kubectl("label", "node", NODE, f"{name}={value}")
    patch(product.cluster, "daemonset", LABELLER, operations("more-labels", "labeller.yaml"))
    renew(product.cluster, LABELLER)
    yield
    product.cluster.kubectl("label", "node", NODE, f"{name}-")
    until_renewed(product.cluster, LABELLER)
    product.wait_until_offered()


def labels(product: Product, node: str) -> dict[str, str]:
    """Those of the vendor's namespace."""
    told: dict[str, str] = product.cluster.get("node", node)["metadata"]["labels"]
    return {name: value for name, value in told.items() if name.startswith(VENDOR)}


def test_more_labels_live_as_the_table_says(product: Product, asked_for: None) -> None:
    """On a node with NPUs alone; with the driver go its versions, and nothing else; with the option go all of ours."""

    def wait(what: str, expected: dict[str, str]) -> None:
        product.cluster.wait(what, lambda: labels(product, NODE) == expected)

    wait("all labels", OF_HARDWARE | OF_DRIVER | THEIRS)
    assert labels(product, PLAIN_NODE) == {}
    product.simulations[NODE].tell("driver", "unload")
    wait("the versions to go", OF_HARDWARE | THEIRS)
    product.simulations[NODE].tell("driver", "load")
    wait("the versions to come", OF_HARDWARE | OF_DRIVER | THEIRS)
    take_back(product.cluster, LABELLER)
    renew(product.cluster, LABELLER)
    wait("all labels to go", THEIRS)
    told = product.cluster.get("node", NODE)["metadata"]["labels"]
    assert (told["alpha.furiosa.ai/npu.family"], told["alpha.furiosa.ai/npu.hwtype"]) == ("warboy", "haps")
