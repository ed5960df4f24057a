"""The kubelet's books: capacity, what is free, merged answers, and the checkpoint that its other readers understand."""

import json
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.demo import checkpoint_file
from furiosa_npu.demo.device_books import GRACE_SECONDS, Allotment, DeviceBooks, Place
from furiosa_npu.kubelet.checkpoint import CheckpointEntry, parse_checkpoint
from furiosa_npu.kubelet.deviceplugin_v1beta1 import (
    HEALTHY,
    UNHEALTHY,
    ContainerAllocateResponse,
    Device,
    DeviceSpec,
    Mount,
    NUMANode,
    TopologyInfo,
)

NO_ANSWER = ContainerAllocateResponse({}, (), ())
NAMES = st.text(st.characters(min_codepoint=45, max_codepoint=122), min_size=1, max_size=8)


def _books() -> DeviceBooks:
    books = DeviceBooks()
    books.listed(
        "x/y",
        [
            Device("a", HEALTHY, TopologyInfo((NUMANode(1),))),
            Device("b", HEALTHY, None),
            Device("c", UNHEALTHY, None),
        ],
    )
    return books


def test_allocatable_counts_the_healthy_and_capacity_all() -> None:
    """In use or not; what is free is healthy and allotted to nobody under that name."""
    books = _books()
    books.allotments[Place("uid", "main", "x/y")] = Allotment(("a",), NO_ANSWER)
    assert (books.allocatable("x/y"), books.capacity("x/y", 0), books.free("x/y")) == (2, 3, ("b",))
    assert (books.allocatable("x/z"), books.capacity("x/z", 0), books.free("x/z")) == (0, 0, ())


def test_a_plugin_that_went_keeps_its_capacity_for_five_minutes() -> None:
    """Allocatable is 0 at once; a list that comes in time restores both."""
    books = _books()
    books.plugin_gone("x/y", 100.0)
    assert (books.allocatable("x/y"), books.capacity("x/y", 100.0)) == (0, 3)
    assert books.capacity("x/y", 100.0 + GRACE_SECONDS) == 0
    books.listed("x/y", [Device("a", HEALTHY, None)])
    assert (books.allocatable("x/y"), books.capacity("x/y", 999.0)) == (1, 1)


def test_only_pods_that_are_active_keep_their_devices() -> None:
    """A pod that ended keeps them until somebody looks."""
    books = _books()
    books.allotments[Place("over", "main", "x/y")] = Allotment(("a",), NO_ANSWER)
    books.allotments[Place("alive", "main", "x/y")] = Allotment(("b",), NO_ANSWER)
    books.drop_all_but({"alive"})
    assert (books.held("over", "main", "x/y"), books.held("alive", "main", "x/y")) == (None, ("b",))


def test_of_two_answers_the_first_keeps_each_name() -> None:
    """One environment, one device a path, one mount a path; what only the second names is added."""
    books = _books()
    first = ContainerAllocateResponse(
        {"A": "1"}, (Mount("/m", "/host1", True),), (DeviceSpec("/dev/a", "/dev/a", "rw"),)
    )
    second = ContainerAllocateResponse(
        {"A": "2", "B": "3"},
        (Mount("/m", "/host2", True), Mount("/n", "/host2", True)),
        (DeviceSpec("/dev/b", "/dev/b", "rw"), DeviceSpec("/dev/a", "/elsewhere", "rw")),
    )
    books.allotments[Place("uid", "main", "x/y")] = Allotment(("a",), first)
    books.allotments[Place("uid", "main", "x/z")] = Allotment(("b",), second)
    books.allotments[Place("uid", "other", "x/y")] = Allotment(("c",), second)
    assert books.merged_answer("uid", "main") == ContainerAllocateResponse(
        {"A": "1", "B": "3"},
        (Mount("/m", "/host1", True), Mount("/n", "/host2", True)),
        (DeviceSpec("/dev/a", "/dev/a", "rw"), DeviceSpec("/dev/b", "/dev/b", "rw")),
    )


def test_the_checkpoint_has_the_form_of_1_20() -> None:
    """Devices by NUMA node, those without one under 0; healthy devices of each resource."""
    books = _books()
    books.allotments[Place("uid", "main", "x/y")] = Allotment(("a", "b"), NO_ANSWER)
    document = json.loads(checkpoint_file.render(books))
    assert document["Data"] == {
        "PodDeviceEntries": [
            {
                "PodUID": "uid",
                "ContainerName": "main",
                "ResourceName": "x/y",
                "DeviceIDs": {"1": ["a"], "0": ["b"]},
                "AllocResp": "",
            }
        ],
        "RegisteredDevices": {"x/y": ["a", "b"]},
    }
    assert 0 <= document["Checksum"] < 1 << 32


@given(st.dictionaries(st.tuples(NAMES, NAMES, NAMES), st.lists(NAMES, unique=True, min_size=1, max_size=3)))
def test_what_is_written_is_what_others_read_and_what_is_restored(
    entries: dict[tuple[str, str, str], list[str]],
) -> None:
    """The plugin's own parser and a kubelet that starts agree with the books."""
    books = DeviceBooks()
    for place, ids in entries.items():
        books.allotments[Place(*place)] = Allotment(
            tuple(ids), ContainerAllocateResponse({"ids": ",".join(ids)}, (), ())
        )
    text = checkpoint_file.render(books)
    expected = [CheckpointEntry(*place, tuple(ids)) for place, ids in entries.items()]
    assert [entry._replace(answer="") for entry in parse_checkpoint(text)] == expected


def test_a_kubelet_that_starts_has_the_allotments_and_no_device(tmp_path: Path) -> None:
    """Answers included; devices come with the plugin. Nothing is left beside the file."""
    books = _books()
    answer = ContainerAllocateResponse({"A": "1"}, (Mount("/m", "/h", True),), (DeviceSpec("/dev/a", "/dev/a", "rw"),))
    books.allotments[Place("uid", "main", "x/y")] = Allotment(("a",), answer)
    path = f"{tmp_path}/checkpoint"
    checkpoint_file.write(path, checkpoint_file.render(books))
    assert os.listdir(tmp_path) == ["checkpoint"]
    restored = DeviceBooks()
    checkpoint_file.restore(path, restored)
    assert (restored.allotments, restored.lists) == (books.allotments, {"x/y": {}})


def test_a_kubelet_without_a_checkpoint_starts_empty(tmp_path: Path) -> None:
    """The first start on a node."""
    books = DeviceBooks()
    checkpoint_file.restore(f"{tmp_path}/none", books)
    assert (books.allotments, books.lists) == ({}, {})
