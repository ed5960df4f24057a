"""Devices and counter sets over slices: within the API's bounds, and where they stood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.cluster.resource_slices import Content, Device, Owner
from furiosa_npu.cluster.slice_layout import Group, is_slice_name, lay_out

OWNER = Owner("npu.furiosa.ai", "worker-1", "f3b0")
SLICES = "worker-1.npu.furiosa.ai"


def card(number: int, devices: int = 15, *, counted: bool = True) -> Group:
    """As a Renegade with its partitions."""
    name = f"npu-{number}"
    members = tuple(Device(f"{name}-{device}", {}, {}) for device in range(devices))
    return Group(name, members, {f"pe{pe}": 1 for pe in range(8)} if counted else None)


def shown(slices: dict[str, Content]) -> dict[str, list[str]]:
    """The cards in each slice."""
    return {
        name.removeprefix(f"{SLICES}-"): [
            *dict.fromkeys(device.name.rpartition("-")[0] for device in content.devices),
            *content.counter_sets,
        ]
        for name, content in slices.items()
    }


def test_sixteen_renegades_with_all_their_partitions_stand_in_six_slices() -> None:
    """Four cards of fifteen devices to a slice, eight cards' counters; counters first."""
    names = [f"npu-{number}" for number in range(16)]
    assert shown(lay_out([card(number) for number in range(16)], OWNER, {})) == {
        "counters-0": names[:8],
        "counters-1": names[8:],
        "devices-0": names[:4],
        "devices-1": names[4:8],
        "devices-2": names[8:12],
        "devices-3": names[12:],
    }


def test_what_stays_stands_where_it_stood_and_what_comes_takes_the_first_room() -> None:
    """The slices of other cards are the same values as before."""
    before = lay_out([card(number) for number in range(12)], OWNER, {})
    after = lay_out([card(number) for number in (*range(5), *range(6, 12), 20)], OWNER, before)
    assert shown(after)["devices-1"] == ["npu-4", "npu-6", "npu-7", "npu-20"]
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{SLICES}-{part}" for part in ("devices-1", "counters-0")}


def test_an_empty_slice_is_none_and_the_others_keep_their_names() -> None:
    """The whole first slice's cards are gone."""
    before = lay_out([card(number) for number in range(12)], OWNER, {})
    after = lay_out([card(number) for number in range(8, 12)], OWNER, before)
    assert shown(after) == {
        "counters-1": [f"npu-{number}" for number in range(8, 12)],
        "devices-2": [f"npu-{number}" for number in range(8, 12)],
    }


def test_without_counters_there_are_devices_alone() -> None:
    """Whole cards, 64 to a slice."""
    slices = lay_out([card(number, 1, counted=False) for number in range(65)], OWNER, {})
    assert {name: len(content.devices) for name, content in slices.items()} == {
        f"{SLICES}-devices-0": 64,
        f"{SLICES}-devices-1": 1,
    }


def test_a_group_that_is_too_large_is_refused() -> None:
    """It could stand in no slice."""
    with pytest.raises(ValueError, match="npu-1: found 65 devices that belong together, expected at most 64"):
        lay_out([card(1, 65)], OWNER, {})


def test_slices_of_nodes_with_long_names_have_names_of_their_own() -> None:
    """253 characters at most."""
    nodes = [".".join(["a" * 60] * 4) + end for end in ("b", "c")]
    names = [name for node in nodes for name in lay_out([card(0)], OWNER._replace(node=node), {})]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 253
    again = lay_out([card(0)], OWNER._replace(node=nodes[0]), lay_out([card(0)], OWNER._replace(node=nodes[0]), {}))
    assert list(again) == names[:2]
    owners = [OWNER._replace(node=node) for node in nodes]
    ours = [[is_slice_name(name, owner) for name in names] for owner in owners]
    assert ours == [[True, True, False, False], [False, False, True, True]]


@pytest.mark.parametrize(
    "name", ["n1-npu.furiosa.ai-abcde", "n1.npu.furiosa.ai-devices-", "n1.npu.furiosa.ai-devices-a", "n1"]
)
def test_a_slice_of_another_name_is_none_of_ours(name: str) -> None:
    """As kubeletplugin of Go makes them, or by hand."""
    assert not is_slice_name(name, OWNER._replace(node="n1"))


GROUPS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20), st.booleans()), max_size=20, unique_by=lambda g: g[0]
)


@given(GROUPS, GROUPS, st.booleans())
def test_each_device_and_counter_set_stands_in_one_slice_within_the_bounds(
    first: list[tuple[int, int, bool]], then: list[tuple[int, int, bool]], strange: bool
) -> None:
    """Whatever stood there before; and laid out again, nothing moves."""
    before = lay_out([card(number, size, counted=counted) for number, size, counted in first], OWNER, {})
    if strange:  # of another hand
        before |= {f"{SLICES}-devices-9": Content(card(1, 64).devices), "x": Content(card(2).devices)}
    groups = [card(number, size, counted=counted) for number, size, counted in then]
    slices = lay_out(groups, OWNER, before)
    assert sorted(device.name for content in slices.values() for device in content.devices) == sorted(
        device.name for group in groups for device in group.devices
    )
    assert sorted(name for content in slices.values() for name in content.counter_sets) == sorted(
        group.name for group in groups if group.counters is not None
    )
    for content in slices.values():
        assert bool(content.devices) is not bool(content.counter_sets)
        assert len(content.devices) <= 64
        assert len(content.counter_sets) <= 8
    assert lay_out(groups, OWNER, slices) == slices
