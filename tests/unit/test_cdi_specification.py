"""CDI specifications: what is rendered is what runtimes take, and what they would not take is not rendered."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cdi.names import file_name, is_device_name, is_kind, qualified, transient_file_name, transient_id
from furiosa_npu.cdi.specification import (
    ContainerEdits,
    Device,
    DeviceNode,
    Mount,
    Specification,
    SpecificationError,
    to_document,
    to_text,
)
from tests.unit.cdi_rules import complaints

NODE = DeviceNode("/dev/npu0", "/dev/npu0", "rw")
EDITS = ContainerEdits((NODE,))
DEVICE = Device("npu0", EDITS)
GOOD = Specification("furiosa.ai/npu", (DEVICE,))


def test_a_specification_is_rendered_whole() -> None:
    """Every field, in the form that runtimes read; what is empty is left out."""
    full = Device(
        "A76AAD68-6855-40B1-9E86-D080852D1C84",
        ContainerEdits(
            (NODE, DeviceNode("/dev/npu1", "/run/sim/dev/npu1", "r")),
            (Mount("/opt/bin/furiosactl", "/usr/bin/furiosactl", ("ro", "rbind")),),
            {"B": "2", "A": "x=y"},
        ),
    )
    assert to_document(Specification("furiosa.ai/npu", (full, DEVICE))) == {
        "cdiVersion": "0.5.0",
        "kind": "furiosa.ai/npu",
        "devices": [
            {
                "name": "A76AAD68-6855-40B1-9E86-D080852D1C84",
                "containerEdits": {
                    "env": ["B=2", "A=x=y"],
                    "deviceNodes": [
                        {"path": "/dev/npu0", "permissions": "rw"},
                        {"path": "/dev/npu1", "hostPath": "/run/sim/dev/npu1", "permissions": "r"},
                    ],
                    "mounts": [
                        {
                            "hostPath": "/opt/bin/furiosactl",
                            "containerPath": "/usr/bin/furiosactl",
                            "options": ["ro", "rbind"],
                        }
                    ],
                },
            },
            {"name": "npu0", "containerEdits": {"deviceNodes": [{"path": "/dev/npu0", "permissions": "rw"}]}},
        ],
    }


@pytest.mark.parametrize(
    ("specification", "version"),
    [
        (GOOD, "0.3.0"),
        (Specification("furiosa.ai/npu", (Device("0a", EDITS),)), "0.5.0"),
        (
            Specification("furiosa.ai/npu", (Device("a", ContainerEdits((DeviceNode("/dev/a", "/b", "rw"),))),)),
            "0.5.0",
        ),
        (Specification("furiosa.ai/npu.claim", (DEVICE,)), "0.6.0"),
    ],
)
def test_the_version_is_the_lowest_that_knows_what_is_used(specification: Specification, version: str) -> None:
    """A name that begins with a digit and a path on the host: 0.5.0; a dot in the class: 0.6.0 (SPEC.md)."""
    assert to_document(specification)["cdiVersion"] == version


def _edited(edits: ContainerEdits) -> Specification:
    return Specification("furiosa.ai/npu", (Device("npu0", edits),))


@pytest.mark.parametrize(
    ("specification", "said"),
    [
        (GOOD._replace(devices=()), "devices of furiosa.ai/npu: found none, expected one at least"),
        (GOOD._replace(kind="npu"), "kind: found 'npu', expected VENDOR/CLASS, each of letters"),
        (GOOD._replace(devices=(DEVICE, DEVICE)), "device npu0: found 2 of that name, expected one"),
        (GOOD._replace(devices=(Device("a b", EDITS),)), "device: found the name 'a b', expected letters, digits"),
        (_edited(ContainerEdits()), "device npu0: found nothing that a container gets, expected a device file or more"),
        (_edited(ContainerEdits((DeviceNode("/dev/a", "dev/a", "rw"),))), "device npu0, path: found 'dev/a', expected"),
        (
            _edited(ContainerEdits((DeviceNode("/dev/\n", "/a", "rw"),))),
            r"device npu0, path: found '/dev/\n', expected",
        ),
        (_edited(ContainerEdits(mounts=(Mount("/a", "", ()),))), "device npu0, path: found '', expected an absolute"),
        (
            _edited(ContainerEdits((NODE._replace(permissions="rx"),))),
            "/dev/npu0: found the permissions 'rx', expected",
        ),
        (_edited(ContainerEdits((NODE._replace(permissions=""),))), "/dev/npu0: found the permissions '', expected"),
        (_edited(ContainerEdits((NODE,), (), {"A=B": "c"})), "environment: found the name 'A=B', expected one without"),
    ],
)
def test_what_a_runtime_would_refuse_is_not_rendered(specification: Specification, said: str) -> None:
    """One bad name would take every device of the file away: the error says which, and what was expected."""
    with pytest.raises(SpecificationError) as caught:
        to_document(specification)
    assert said in str(caught.value)


TEXTS = st.text(st.sampled_from([*string.ascii_letters[:4], *string.digits[:3], *"_-.:/= \n\x00é"]), max_size=6)
PATHS = TEXTS | TEXTS.map(lambda text: f"/{text}")
NODES = st.builds(DeviceNode, PATHS, PATHS, st.sampled_from(["rw", "r", "rwm", "", "x"]))
MOUNTS = st.builds(Mount, PATHS, PATHS, st.lists(TEXTS, max_size=2).map(tuple))
ALL_EDITS = st.builds(
    ContainerEdits,
    st.lists(NODES, max_size=2).map(tuple),
    st.lists(MOUNTS, max_size=2).map(tuple),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)
KINDS = st.sampled_from(["furiosa.ai/npu", "a/b.c"]) | TEXTS
DEVICES = st.lists(st.builds(Device, TEXTS, st.just(EDITS) | ALL_EDITS), max_size=3).map(tuple)


@given(st.builds(Specification, KINDS, DEVICES))
def test_whatever_is_rendered_a_runtime_takes(specification: Specification) -> None:
    """By the official schema and the rules of the library; and the text is the document."""
    try:
        document = to_document(specification)
    except SpecificationError:
        return
    assert complaints(document) == []
    assert json.loads(to_text(specification)) == document


@pytest.mark.parametrize("document", [{}, {"cdiVersion": "0.5.0", "kind": "a/b", "devices": [{"name": "c"}]}])
def test_the_schema_refuses_what_is_no_specification(document: object) -> None:
    """So that a pass means something."""
    assert complaints(document)


ALPHANUMERIC = string.ascii_letters + string.digits
NAMES = st.text(st.sampled_from(ALPHANUMERIC[:3] + ALPHANUMERIC[-3:] + "_-.:=/ \né²"), max_size=5)


@given(NAMES)
def test_a_device_name_is_one_by_the_rules_of_the_parser(name: str) -> None:
    """First and last a letter or digit, between also `_`, `-`, `.` and `:`; ASCII alone."""
    ends = bool(name) and name[0] in ALPHANUMERIC and name[-1] in ALPHANUMERIC
    assert is_device_name(name) == (ends and all(letter in ALPHANUMERIC + "_-.:" for letter in name))


@pytest.mark.parametrize("name", ["A76AAD68-6855-40B1-9E86-D080852D1C84", "0000:6d:00.0", "npu0", "0"])
def test_what_cards_go_by_is_a_device_name(name: str) -> None:
    """UUIDs, PCI addresses, names."""
    assert is_device_name(name)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("furiosa.ai/npu", True),
        ("npu.furiosa.ai/claim", True),
        ("a/b.c-d_e", True),
        ("a" * 253 + "/" + "b" * 63, True),
        ("a" * 254 + "/b", False),
        ("a/" + "b" * 64, False),
        ("furiosa.ai", False),
        ("furiosa.ai/", False),
        ("/npu", False),
        ("a/b/c", False),
        ("1a/b", False),
        ("a/1b", False),
        ("a/b-", False),
        ("a/b\n", False),
        ("ä/b", False),
    ],
)
def test_a_kind_is_vendor_and_class(text: str, is_one: bool) -> None:
    """Each begins with a letter and ends with a letter or digit."""
    assert is_kind(text) is is_one


def test_a_device_is_asked_for_by_kind_and_name_and_its_file_is_called_after_the_kind() -> None:
    """As the library puts them together."""
    assert qualified("furiosa.ai/npu", "npu0") == "furiosa.ai/npu=npu0"
    assert file_name("furiosa.ai/npu") == "furiosa.ai-npu.json"


def test_a_transient_file_tells_what_it_was_made_for() -> None:
    """That of another kind, and the kind's own, do not."""
    name = transient_file_name("furiosa.ai/npu", "uid-1")
    assert (name, transient_id("furiosa.ai/npu", name)) == ("furiosa.ai-npu_uid-1.json", "uid-1")
    for other in ("furiosa.ai-npu.json", "furiosa.ai-np_uid-1.json", name + ".new"):
        assert transient_id("furiosa.ai/npu", other) is None
