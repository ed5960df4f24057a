"""docs/cdi.md says what is in the specification, and when an answer goes by it."""

import json

from furiosa_npu.allocation.cdi_devices import KIND, node_devices
from furiosa_npu.cdi.names import file_name
from furiosa_npu.cdi.specification import to_document
from furiosa_npu.device_plugin.injection import CONTAINERD, INJECTIONS, KUBELET
from furiosa_npu.device_plugin.settings import PROGRAM
from furiosa_npu.hardware.reading import Roots
from tests.docs.markdown import REPOSITORY, blocks, code, tables
from tests.unit.cdi_rules import complaints
from tests.unit.readings import warboy

DOCUMENT = REPOSITORY / "docs/cdi.md"


def test_the_example_is_what_is_written_of_such_a_host() -> None:
    """The first of two devices; the second is the same under another name."""
    (example,) = (json.loads(block.text) for block in blocks(DOCUMENT) if block.language == "json")
    uuid = example["devices"][0]["name"]
    tools = next(option.default for option in PROGRAM.options if option.name == "host-tools-dir")
    written = node_devices({uuid: warboy(0, uuid=uuid)}, Roots("/dev", "/sys"), f"{tools}/furiosactl").specification
    assert written is not None
    document = to_document(written)
    assert complaints(example) == []
    assert document == example | {"devices": [example["devices"][0], example["devices"][0] | {"name": "npu0"}]}


def test_the_ways_of_injection_are_the_options() -> None:
    """Each value, and the versions by which `auto` decides."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (table,) = tables(DOCUMENT)
    assert sorted(code(row[0])[0] for row in table[1:]) == sorted(INJECTIONS)
    newest = ["{}.{}".format(*version) for version in (KUBELET, CONTAINERD)]
    assert "kubelet {} and containerd {} or newer".format(*newest) in table[-1][1]
    assert f"`{file_name(KIND)}`" in text
    folder = next(option.default for option in PROGRAM.options if option.name == "cdi-dir")
    assert f"`/etc/cdi` and `{folder}`" in text
