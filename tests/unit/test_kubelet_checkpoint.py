"""The kubelet's checkpoint, in the forms that Kubernetes 1.20 and its elders write."""

import base64
import contextlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.kubelet.checkpoint import CheckpointEntry, CheckpointError, parse_checkpoint, registered_resources
from furiosa_npu.kubelet.deviceplugin_v1beta1 import SCHEMA, ContainerAllocateResponse, DeviceSpec
from furiosa_npu.kubelet.wire import encode

ENTRY = {"PodUID": "u-1", "ContainerName": "linux", "ResourceName": "furiosa.ai/npu", "AllocResp": "CgA="}


KEPT = base64.b64encode(
    encode(ContainerAllocateResponse({}, devices=(DeviceSpec("/dev/npu0", "/host/npu0", "rw"),)), SCHEMA)
).decode()


def _file(*entries: object) -> str:
    return json.dumps({"Data": {"PodDeviceEntries": list(entries), "RegisteredDevices": {}}, "Checksum": 1})


def test_devices_are_gathered_over_numa_nodes() -> None:
    """1.20 keeps a list a NUMA node; the entry holds all of them."""
    text = _file(ENTRY | {"DeviceIDs": {"-1": ["a"], "1": ["b", "c"]}})
    assert parse_checkpoint(text) == (CheckpointEntry("u-1", "linux", "furiosa.ai/npu", ("a", "b", "c"), "CgA="),)


def test_the_older_plain_list_is_read_too() -> None:
    """Before 1.20 the ids were one list."""
    text = _file(ENTRY | {"DeviceIDs": ["a"]})
    assert parse_checkpoint(text) == (CheckpointEntry("u-1", "linux", "furiosa.ai/npu", ("a",), "CgA="),)


def test_the_device_files_of_the_answer_are_those_that_the_container_got() -> None:
    """The kubelet keeps the plugin's answer in base64."""
    (entry,) = parse_checkpoint(_file(ENTRY | {"DeviceIDs": ["a"], "AllocResp": KEPT}))
    assert (entry.device_ids, entry.container_paths) == (("a",), ("/dev/npu0",))


def test_an_answer_is_read_when_its_device_files_are_wanted() -> None:
    """Whoever reads the file each second to know who holds what has no use for the plugin's messages."""
    program = (
        "import sys\n"
        "from furiosa_npu.kubelet.checkpoint import parse_checkpoint\n"
        "(entry,) = parse_checkpoint(sys.stdin.read())\n"
        "print('furiosa_npu.kubelet.deviceplugin_v1beta1' in sys.modules, entry.container_paths)\n"
    )
    text = _file(ENTRY | {"DeviceIDs": ["a"], "AllocResp": KEPT})
    told = subprocess.run([sys.executable, "-c", program], input=text, check=True, capture_output=True, text=True)
    assert told.stdout == "False ('/dev/npu0',)\n"


@pytest.mark.parametrize("kept", ["", None, 7, "no base64", "/w==", "Cg8="])
def test_an_answer_that_cannot_be_read_names_no_file(kept: object) -> None:
    """Who holds what is known all the same."""
    (entry,) = parse_checkpoint(_file(ENTRY | {"DeviceIDs": ["a"], "AllocResp": kept}))
    assert (entry[:4], entry.container_paths) == (("u-1", "linux", "furiosa.ai/npu", ("a",)), ())


@pytest.mark.parametrize("entries", [None, []])
def test_a_kubelet_that_handed_out_nothing_has_no_entries(entries: object) -> None:
    """Go writes an empty slice as null."""
    assert parse_checkpoint(json.dumps({"Data": {"PodDeviceEntries": entries}})) == ()


@pytest.mark.parametrize(
    ("registered", "names"),
    [({"furiosa.ai/npu": [], "a/b": ["x"]}, {"furiosa.ai/npu", "a/b"}), (None, set()), ({}, set())],
)
def test_names_of_plugins_that_registered_are_told(registered: object, names: set[str]) -> None:
    """Of one that has ended too, then without devices."""
    assert registered_resources(json.dumps({"Data": {"RegisteredDevices": registered}})) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found '', expected JSON"),
        ("[]", "found '[]' where an object with Data was expected"),
        ('{"Data": 3}', "Data is '3', expected"),
        (_file(ENTRY | {"DeviceIDs": {"-1": [7]}}), "DeviceIDs is {'-1': [7]}, expected lists of strings"),
        (_file({"DeviceIDs": {}}), "PodUID is 'None', expected"),
    ],
)
def test_another_format_is_an_error_that_says_what_was_found(text: str, message: str) -> None:
    """A file that is no checkpoint never reads as "nothing is held"."""
    with pytest.raises(CheckpointError) as raised:
        parse_checkpoint(text)
    assert message in str(raised.value)


def test_a_refusal_is_a_sentence_whatever_the_file_s_size() -> None:
    """It goes into the log, and into the answer to a probe."""
    with pytest.raises(CheckpointError) as raised:
        parse_checkpoint(_file(ENTRY | {"DeviceIDs": {"-1": ["a"] * 10_000 + [7]}}))
    assert len(str(raised.value)) < 200


@given(
    text=st.text(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["Data", "PodDeviceEntries", "DeviceIDs", "AllocResp"]), inner)
        ),
    ).map(json.dumps)
)
def test_any_text_is_entries_or_a_checkpoint_error(text: str) -> None:
    """Nothing in the file can raise anything else."""
    with contextlib.suppress(CheckpointError):
        assert isinstance(parse_checkpoint(text), tuple)
