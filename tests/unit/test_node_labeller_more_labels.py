"""The labels that `--labels` adds: what they say, and when they go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.node import is_label_value
from furiosa_npu.hardware.reading import FAMILIES, Family, Problem, Reading
from furiosa_npu.node_labeller.card_facts import card_with_facts
from furiosa_npu.node_labeller.labels import GROUPS, Labels, Sight
from furiosa_npu.node_labeller.more_labels import TABLE, MoreLabels
from tests.unit.readings import renegade, warboy

ALL = MoreLabels(("all",))
NOTHING = Sight((), (), (), ())


def seen(*readings: Reading, plane: str | None = None) -> Sight:
    """A look that missed nothing."""
    families = tuple(family for family in FAMILIES if any(reading.family == family for reading in readings))
    return Sight(families, (), (), tuple(map(card_with_facts, readings)), plane)


def driverless(family: Family = "warboy") -> Reading:
    """A card on the bus that no driver has taken."""
    return Reading(family, None, management=False, pci_bdf="0000:3b:00.0")


def unread(reading: Reading, file: str) -> Reading:
    """The same with one file that cannot be read."""
    return reading._replace(problems=(Problem(f"/sys/class/x/{file}", "EIO", "a file"),))


def told(sight: Sight, *groups: str) -> Labels:
    """Without the vendor's prefix."""
    wanted = MoreLabels(groups).wanted(sight)
    return {name.removeprefix("furiosa.ai/"): value for name, value in wanted.items()}


def versions(name: str, *values: str | None) -> Labels:
    parts = (f"{name}.version", *(f"{name}.version.{part}" for part in ("major", "minor", "patch", "metadata")))
    return dict(zip(parts, values or (None,) * 5, strict=True))


TWO_RENEGADES = (
    renegade(0)._replace(numa_node=0, firmware_version="2024.2.1, abc"),
    renegade(1)._replace(numa_node=1, firmware_version="2024.2.1, abc"),
)


def test_a_node_with_two_renegades_says_all_of_this() -> None:
    """Every label, with its value."""
    assert told(seen(*TWO_RENEGADES, plane="dra"), "all") == {
        "npu.count": "2",
        "npu.family": "rngd",
        "npu.product": "rngd",
        "npu.memory": "48640",
        **versions("driver", "1.9.2", "1", "9", "2", "3def9c2"),
        **versions("firmware", "2024.2.1", "2024", "2", "1", "abc"),
        "npu.numa.count": "2",
        "npu.numa.largest": "1",
        "npu.numa.layout": "node0-1.node1-1",
        "npu-1pe.count": "16",
        "npu-2pe.count": "8",
        "npu-4pe.count": "4",
        "npu.plane": "dra",
    }


def test_what_a_warboy_does_not_tell_is_no_label() -> None:
    """Its memory, its firmware where the file is empty, the parts that it cannot be cut into, who hands it out."""
    assert told(seen(warboy(0)), "all") == {
        "npu.count": "1",
        "npu.family": "warboy",
        "npu.product": "warboy",
        "npu.memory": None,
        **versions("driver", "1.9.2", "1", "9", "2", "3def9c2"),
        **versions("firmware"),
        "npu.numa.count": "1",
        "npu.numa.largest": "1",
        "npu.numa.layout": "node0-1",
        "npu-1pe.count": "2",
        "npu-2pe.count": None,
        "npu-4pe.count": None,
        "npu.plane": None,
    }


@pytest.mark.parametrize(
    ("version", "labels"),
    [
        ("1.9.2", ("1.9.2", "1", "9", "2", None)),
        ("1.9.2, 3def9c2", ("1.9.2", "1", "9", "2", "3def9c2")),
        ("1.9.2, two words", (None,) * 5),
        ("1.9.2, +dirty", ("1.9.2", "1", "9", "2", None)),
        ("nightly", ("nightly", None, None, None, None)),
        ("no label value", (None,) * 5),
        ("9" * 64, (None,) * 5),
    ],
)
def test_a_version_falls_into_its_parts(version: str, labels: tuple[str | None, ...]) -> None:
    """What is no version is told whole, where it can be a label's value; a part that cannot be one is left out."""
    assert told(seen(warboy()._replace(driver_version=version)), "driver") == versions("driver", *labels)


def test_cards_that_do_not_agree_have_no_version_in_common() -> None:
    """Nor has a card whose file is empty one with the others."""
    for other in ("1.6.1, x", None):
        cards = (warboy(0)._replace(firmware_version="1.6.0, x"), warboy(1)._replace(firmware_version=other))
        assert told(seen(*cards), "firmware") == versions("firmware")


def test_labels_are_of_the_labelled_family_alone() -> None:
    """Of a node with both, Warboy's."""
    assert told(seen(warboy(0), *TWO_RENEGADES), "count", "product", "partitions") == {
        "npu.count": "1",
        "npu.family": "warboy",
        "npu.product": "warboy",
        "npu-1pe.count": "2",
        "npu-2pe.count": None,
        "npu-4pe.count": None,
    }


def test_a_driver_that_is_unloaded_takes_its_versions_along_and_nothing_else() -> None:
    """The cards are still on the bus: they are counted, and where they are is not known any more, but not wrong."""
    gone = told(seen(driverless("renegade"), plane="dra"), "all")
    assert gone == {
        "npu.count": "1",
        "npu.family": "rngd",
        "npu.product": "rngd",
        **versions("driver"),
        **versions("firmware"),
        "npu-1pe.count": "8",
        "npu-2pe.count": "4",
        "npu-4pe.count": "2",
        "npu.plane": "dra",
    }


def test_one_card_without_a_driver_does_not_hide_the_others_version() -> None:
    """It counts among the cards."""
    assert told(seen(warboy(0), driverless()), "count", "driver") == {
        "npu.count": "2",
        **versions("driver", "1.9.2", "1", "9", "2", "3def9c2"),
    }


@pytest.mark.parametrize(
    ("file", "groups"), [("version", ("driver",)), ("fw_version", ("firmware",)), ("numa_node", ("numa",))]
)
def test_what_cannot_be_read_leaves_its_labels_as_they_are(file: str, groups: tuple[str, ...]) -> None:
    """A failed look is no news."""
    assert told(seen(warboy(0), unread(warboy(1), file)), *groups) == {}


def test_a_card_whose_address_cannot_be_read_does_not_say_where_it_is() -> None:
    """Its NUMA node is looked up by that."""
    assert told(seen(warboy()._replace(pci_bdf=None)), "numa") == {}


def test_a_machine_without_numa_nodes_has_no_label_of_them() -> None:
    """-1 is no node, and an unknown node is not node 0; one card of them says nothing of all."""
    for cards in ((warboy(0, numa_node=None),), (warboy(0), warboy(1, numa_node=None))):
        assert told(seen(*cards), "numa") == dict.fromkeys(("npu.numa.count", "npu.numa.largest", "npu.numa.layout"))


def test_the_memory_of_an_fpga_sample_is_not_known() -> None:
    """The figure is silicon's; a type that is not known leaves the label as it is."""
    assert told(seen(renegade()._replace(hwtype="haps")), "memory") == {"npu.memory": None}
    assert told(seen(unread(renegade(), "platform_type")), "memory") == {}


def test_a_look_that_failed_leaves_all_as_it_is() -> None:
    """So does one that saw nothing but an NPU of an unknown family."""
    assert ALL.wanted(seen(warboy())._replace(failures=("/sys: gone",))) == {}
    assert ALL.wanted(NOTHING._replace(unknown_devices=("0000:01:00.0",))) == {}


def test_with_the_last_card_all_of_them_go() -> None:
    """Whoever hands out."""
    assert ALL.wanted(NOTHING._replace(plane="dra")) == dict.fromkeys(label.name for label in TABLE)


def test_who_hands_out_stays_where_that_is_not_known() -> None:
    """A lock that cannot be looked at."""
    assert told(seen(warboy())._replace(plane_failure="EACCES"), "plane") == {}


def test_each_group_is_one_that_the_option_takes() -> None:
    """And each has labels."""
    assert {label.group for label in TABLE} == {*GROUPS}
    assert [name for group in GROUPS for name in MoreLabels((group,)).names] == [*ALL.names]


texts = st.one_of(st.none(), st.text(max_size=70), st.from_regex(r"\A[0-9]+\.[0-9]+\.[0-9]+, [\w.]+\Z"))
cards = st.builds(
    lambda base, driver, firmware, node: base._replace(
        driver_version=driver, firmware_version=firmware, numa_node=node
    ),
    st.sampled_from([warboy(0), renegade(0), driverless(), unread(warboy(1), "version")]),
    texts,
    texts,
    st.one_of(st.none(), st.integers(0, 2**31)),
)


@given(st.lists(cards, max_size=20), st.sampled_from([None, "dra"]))
def test_each_value_can_be_a_labels_value(readings: list[Reading], plane: str | None) -> None:
    """Whatever a driver says."""
    wanted = ALL.wanted(seen(*readings, plane=plane))
    assert {value for value in wanted.values() if value is not None and not is_label_value(value)} == set()
    assert wanted.keys() <= {*ALL.names}
