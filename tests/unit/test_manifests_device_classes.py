"""The DeviceClasses that users apply, compared whole, and that each asks for what the driver publishes."""

from typing import Any

import pytest

from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Ledger
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.cluster.api import Answer
from furiosa_npu.dra_driver.device_classes import EXTENDED_RESOURCES, lacking
from furiosa_npu.dra_driver.devices import DRIVER, Tainting, offering
from furiosa_npu.dra_driver.publication_trouble import Notice
from tests.unit.manifests import DEPLOYMENTS, objects
from tests.unit.readings import renegade, warboy

CLASSES = {
    "npu.furiosa.ai": ("card", "furiosa.ai/npu"),
    "alpha-npu.furiosa.ai": ("card", "alpha.furiosa.ai/npu"),
    "npu-1pe.furiosa.ai": ("1pe", None),
    "npu-2pe.furiosa.ai": ("2pe", None),
    "npu-4pe.furiosa.ai": ("4pe", None),
}
"""name to partition and the extended resource that it stands for"""


def test_there_is_a_class_for_each_resource_name_and_for_each_size_of_partition() -> None:
    """Whole cards by either name; parts are claimed, no resource names them."""
    assert objects(DEPLOYMENTS / "device-classes.yaml") == [
        _device_class(name, partition, resource) for name, (partition, resource) in CLASSES.items()
    ]
    assert {name: of for name, (_, of) in CLASSES.items() if of is not None} == EXTENDED_RESOURCES


def test_each_class_asks_for_a_partition_that_the_driver_publishes_and_none_is_forgotten() -> None:
    """Of both families."""
    published = set()
    for card in (warboy(0), renegade(0)):
        pool = census({}, Seen((card,)), Ledger(), Rules(None, (), "fused"), 1.0, None, PARTITIONED)
        cards = offering(pool, (), (), Tainting(0.0)).cards
        published |= {device.attributes["partition"] for found in cards for device in found.devices}
    assert published == {partition for partition, _ in CLASSES.values()}


def test_the_shipped_classes_lack_nothing_and_one_that_lost_its_resource_name_is_told() -> None:
    """A closed gate drops the name; a class that was not applied is another thing."""
    shipped = objects(DEPLOYMENTS / "device-classes.yaml")
    assert lacking(Answer(200, {"metadata": {}, "items": shipped}, None)) == ()
    for found in shipped:
        found["spec"].pop("extendedResourceName", None)
    alpha = [found for found in shipped if found["metadata"]["name"] != "npu.furiosa.ai"]
    assert lacking(Answer(200, {"items": alpha}, None)) == (
        Notice(
            "warning",
            "there is no DeviceClass npu.furiosa.ai, which pods that ask for furiosa.ai/npu need (device-classes.yaml)",
            "NPUDeviceClassMissing",
        ),
        Notice(
            "warning",
            "DeviceClass alpha-npu.furiosa.ai has no extendedResourceName: the API server dropped it (feature gate "
            "DRAExtendedResource); claims are served, pods that ask for alpha.furiosa.ai/npu are not",
            "NPUExtendedResourceOff",
        ),
    )


@pytest.mark.parametrize("body", [None, "x", {}, {"items": 7}, {"items": [7, {"metadata": 7}, {"spec": 7}]}])
def test_what_is_no_list_of_classes_says_nothing_or_that_none_is_there(body: object) -> None:
    """Whoever answered; the right to read them may be missing."""
    told = lacking(Answer(200, body, None))
    assert [notice.event for notice in told] == ["NPUDeviceClassMissing"] * len(told)
    assert lacking(Answer(403, {"items": []}, None)) == ()


def _device_class(name: str, partition: str, resource: str | None) -> dict[str, Any]:
    expression = f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].partition == "{partition}"'
    spec: dict[str, Any] = {"selectors": [{"cel": {"expression": expression}}]}
    if resource is not None:
        spec["extendedResourceName"] = resource
    labels = {"app.kubernetes.io/part-of": "furiosa-npu"}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    }
