"""The node's cards as CDI devices: by UUID, and by a name that is theirs alone."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.allocation.cdi_devices import KIND, node_devices
from furiosa_npu.allocation.identity import identify
from furiosa_npu.cdi.names import EXPECTED_DEVICE_NAME
from furiosa_npu.cdi.specification import ContainerEdits, Device, DeviceNode, Mount, Specification, to_document
from furiosa_npu.hardware.cards import without_doubles
from furiosa_npu.hardware.reading import Reading, Roots
from tests.unit.cdi_rules import complaints
from tests.unit.readings import renegade, warboy

HOST = Roots("/dev", "/sys")


def _names(*cards: Reading) -> list[str]:
    specification = node_devices(identify(cards, {}), HOST, None).specification
    return [] if specification is None else [device.name for device in specification.devices]


def test_a_card_is_a_device_under_its_uuid_and_its_name() -> None:
    """With its device files, to read and write, and nothing else: no variable that names it."""
    names = ["npu0", "npu0pe0", "npu0pe1", "npu0pe0-1", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0_mgmt"]
    edits = ContainerEdits(tuple(DeviceNode(f"/dev/{name}", f"/dev/{name}", "rw") for name in names))
    found = node_devices({"WARBOY-0": warboy(0)}, HOST, None)
    assert found == (Specification("furiosa.ai/npu", (Device("WARBOY-0", edits), Device("npu0", edits))), {})


def test_furiosactl_and_a_simulated_tree_come_with_each_device() -> None:
    """Mounted to read; the roots' variables are the same of each card, so that any of them may win."""
    specification = node_devices({"U": warboy(3)}, Roots("/run/sim/dev", "/run/sim/sys"), "/opt/bin/furiosactl")[0]
    assert specification is not None
    options = ("ro", "nosuid", "nodev", "rbind", "rprivate")
    for device in specification.devices:
        assert device.container_edits.device_nodes[0] == DeviceNode("/dev/npu3", "/run/sim/dev/npu3", "rw")
        assert device.container_edits[1:] == (
            (
                Mount("/opt/bin/furiosactl", "/usr/bin/furiosactl", options),
                Mount("/run/sim/sys", "/run/sim/sys", options),
            ),
            {"FURIOSA_DEVFS_ROOT": "/dev", "FURIOSA_SYSFS_ROOT": "/run/sim/sys"},
        )


def test_a_name_that_two_cards_have_is_no_devices() -> None:
    """Both families count from 0: a name twice would spoil the file. Warboys stand first, by number."""
    cards = (renegade(0), warboy(1), warboy(0))
    assert _names(*cards) == ["WARBOY-0", "WARBOY-1", "npu1", "RENEGADE-0"]


def test_a_card_without_a_uuid_goes_by_its_pci_address() -> None:
    """As towards the kubelet."""
    assert _names(warboy(0)._replace(uuid=None)) == ["0000:01:00.0", "npu0"]


def test_what_cannot_be_a_device_is_left_out_with_the_reason() -> None:
    """And the other cards are devices all the same; what is left out takes its name from nobody else's use."""
    bare, odd = warboy(1)._replace(device_files=()), warboy(2, uuid="no name")
    driverless = Reading("warboy", None, management=False, pci_bdf="0000:09:00.0")
    twins = without_doubles((warboy(3, uuid="T"), warboy(4, uuid="T")))
    cards = identify((warboy(0), bare, odd, *twins, driverless), {})
    found = node_devices(cards, HOST, None)
    assert _names(*cards.values()) == ["WARBOY-0", "npu0"]
    assert found.left_out == {
        "0000:09:00.0": "0000:09:00.0: no driver has taken it",
        "WARBOY-1": "npu1 (WARBOY-1): no device file below /dev",
        "no name": f"npu2: its UUID is 'no name', expected for CDI: {EXPECTED_DEVICE_NAME}",
        "T": "npu3: another card says the UUID T too",
        "0000:05:00.0": "npu4: another card says the UUID T too",
    }


def test_a_card_that_has_but_its_number_is_none_where_another_has_that_too() -> None:
    """`npu0` would be either."""
    bare = warboy(0)._replace(uuid=None, pci_bdf=None)
    reason = "npu0: another card is called so too, and this one has neither UUID nor address"
    for other, names in ((renegade(0), ["RENEGADE-0"]), (renegade(0)._replace(uuid=None, pci_bdf=None), [])):
        found = node_devices(identify((bare, other), {}), HOST, None)
        devices = () if found.specification is None else found.specification.devices
        assert [device.name for device in devices if device.name != "renegade-npu0"] == names
        assert found.left_out["npu0"] == reason
    assert _names(bare) == ["npu0"]


def test_without_a_card_there_is_no_specification() -> None:
    """A runtime takes none that has no device."""
    assert node_devices({}, HOST, None) == (None, {})
    assert node_devices({"W": warboy(0)._replace(device_files=())}, HOST, None).specification is None


CARDS = st.lists(
    st.builds(
        lambda make, index, uuid, bdf, files: make(index)._replace(
            uuid=uuid, pci_bdf=bdf, device_files=make(index).device_files[:files]
        ),
        st.sampled_from([warboy, renegade]),
        st.integers(0, 2),
        st.sampled_from([None, "A", "B", "npu0", "npu1", "a b", "0000:01:00.0"]),
        st.sampled_from([None, "0000:01:00.0", "0000:02:00.0"]),
        st.integers(0, 3),
    ),
    max_size=5,
)


@given(CARDS, st.randoms())
def test_whatever_cards_there_are_a_runtime_takes_the_file(cards: list[Reading], random: Random) -> None:
    """No name is given twice, each unit is a device or left out with a reason, the order of reading is no matter."""
    units = identify(cards, {})
    found = node_devices(units, HOST, "/opt/furiosactl")
    devices = () if found.specification is None else found.specification.devices
    if found.specification is not None:
        assert found.specification.kind == KIND
        assert complaints(to_document(found.specification)) == []
    told = {device.name for device in devices} & set(units)
    assert (told | set(found.left_out), told & set(found.left_out)) == (set(units), set())
    assert not any(name.startswith("NPU_") for device in devices for name in device.container_edits.environment)
    shuffled = list(units.items())
    random.shuffle(shuffled)
    assert node_devices(dict(shuffled), HOST, "/opt/furiosactl") == found
