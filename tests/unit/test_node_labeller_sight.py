"""What a look sees in a driver tree, and what the log says of it."""

import shutil
from pathlib import Path

import pytest

from furiosa_npu.dra_driver.claim_cdi import file_name as claim_file
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.node_labeller.card_facts import card_with_facts
from furiosa_npu.node_labeller.labels import CardFacts, CardType, Sight
from furiosa_npu.node_labeller.news import Item, news
from furiosa_npu.node_labeller.sight import Lookout


class Tree:
    """A devfs and a sysfs root of plain files."""

    def __init__(self, folder: Path) -> None:
        self.roots = Roots(f"{folder}/dev", f"{folder}/sys")
        self.devfs, self.sysfs = folder / "dev", folder / "sys"
        self.devfs.mkdir()
        self.sysfs.mkdir()

    def warboy(self, index: int, platform_type: str | None) -> None:
        (self.devfs / f"npu{index}").touch()
        folder = self.sysfs / f"class/npu_mgmt/npu{index}_mgmt"
        folder.mkdir(parents=True, exist_ok=True)
        if platform_type is not None:
            (folder / "platform_type").write_text(platform_type + "\n")

    def pci(self, bdf: str, device: str) -> None:
        folder = self.sysfs / "bus/pci/devices" / bdf
        folder.mkdir(parents=True)
        for name, text in (("vendor", "0x1ed2"), ("class", "0x120000"), ("device", device)):
            (folder / name).write_text(text + "\n")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Both roots, empty."""
    return Tree(tmp_path)


def test_a_node_without_npus_is_seen_as_such(tree: Tree) -> None:
    """Nothing is there and nothing failed: the one sight that takes labels away."""
    assert Lookout(tree.roots).look(True) == Sight((), (), (), ())


def test_each_card_says_its_hardware_type(tree: Tree) -> None:
    """FPGA samples, silicon, and a text that nobody published: not known, and told."""
    for index, text in enumerate(("HAPS", "VITIS", "FuriosaAI", "Mystery", None)):
        tree.warboy(index, text)
    sight = Lookout(tree.roots).look(True)
    assert [(card.name, card.known, card.hwtype) for card in sight.cards] == [
        ("npu0", True, "haps"),
        ("npu1", True, "u250"),
        ("npu2", True, None),
        ("npu3", False, None),
        ("npu4", False, None),
    ]
    folder = tree.sysfs / "class/npu_mgmt"
    assert sight.cards[3].reason.startswith(f"{folder}/npu3_mgmt/platform_type: found 'Mystery', expected ")
    assert sight.cards[4].reason.startswith(f"{folder}/npu4_mgmt/platform_type: found no such file, expected ")


def test_pci_devices_alone_are_npus_too(tree: Tree) -> None:
    """An unloaded driver; a device id that neither family has counts as something of an NPU."""
    tree.pci("0000:01:00.0", "0x0001")
    tree.pci("0000:02:00.0", "0x0009")
    reason = "no driver has taken it, or it has not finished"
    assert Lookout(tree.roots).look(True) == Sight(
        ("renegade",), ("0000:02:00.0",), (), (CardType("0000:01:00.0", "renegade", False, None, reason),)
    )


@pytest.mark.parametrize("root", ["devfs", "sysfs"])
def test_a_root_that_is_not_there_is_a_failed_look(tree: Tree, root: str) -> None:
    """It is not a node without NPUs."""
    folder = getattr(tree, root)
    folder.rmdir()
    what = {"devfs": "of device files", "sysfs": "of the driver's facts"}[root]
    failure = f"{folder}: found No such file or directory, expected the folder {what}"
    assert Lookout(tree.roots).look(True) == Sight((), (), (failure,), ())


def test_a_folder_that_cannot_be_listed_is_a_failed_look(tree: Tree) -> None:
    """A file where the kernel has a folder stands for it; `class` itself is listed by name."""
    (tree.sysfs / "bus").mkdir()
    loop = tree.sysfs / "bus/pci"
    loop.symlink_to(loop)
    sight = Lookout(tree.roots).look(True)
    assert len(sight.failures) == 1
    assert sight.failures[0].startswith(f"{loop}/devices: found ELOOP")


def test_in_peace_the_cards_are_not_read_again(tree: Tree) -> None:
    """Their files may be slow: only what happened, or what was not known, makes them be read."""
    tree.warboy(0, "HAPS")
    lookout = Lookout(tree.roots)
    first = lookout.look(True)
    shutil.rmtree(tree.sysfs / "class")
    assert lookout.look(False) == first
    assert [card.known for card in lookout.look(True).cards] == [False]
    tree.warboy(0, "VITIS")
    assert [card.hwtype for card in lookout.look(False).cards] == ["u250"]


def on_the_bus(tree: Tree) -> Path:
    """The management folder of a card that PCI has, too."""
    tree.warboy(0, "HAPS")
    tree.pci("0000:01:00.0", "0x0000")
    (tree.sysfs / "bus/pci/devices/0000:01:00.0/numa_node").write_text("0\n")
    folder = tree.sysfs / "class/npu_mgmt/npu0_mgmt"
    (folder / "busname").write_text("0000:01:00.0\n")
    return folder


def test_a_card_that_comes_to_the_bus_and_that_no_driver_takes_is_seen(tree: Tree) -> None:
    """No device file tells of it, and there are cards of its family already."""
    on_the_bus(tree)
    lookout = Lookout(tree.roots)
    assert [card.known for card in lookout.look(True).cards] == [True]
    tree.pci("0000:02:00.0", "0x0000")
    assert [card.known for card in lookout.look(False).cards] == [True, False]


@pytest.mark.parametrize("at_first", ["absent", "empty", "unreadable"])
def test_a_version_that_a_card_tells_late_is_seen(tree: Tree, at_first: str) -> None:
    """Its firmware starts while the labeller looks; what it has told is not read again."""
    folder = on_the_bus(tree)
    (folder / "version").write_text("1.9.2, 3def9c2\n")
    if at_first == "empty":
        (folder / "fw_version").touch()
    elif at_first == "unreadable":
        (folder / "fw_version").mkdir()
    lookout = Lookout(tree.roots, card_with_facts)

    def firmware(*, fresh: bool = False) -> str | None:
        (card,) = lookout.look(fresh).cards
        assert card.facts is not None
        return card.facts.firmware_version

    assert [firmware(fresh=True), firmware()] == [None, None]
    if at_first == "unreadable":
        (folder / "fw_version").rmdir()
    (folder / "fw_version").write_text("1.6.0, c1bebfd\n")
    assert firmware() == "1.6.0, c1bebfd"
    (folder / "fw_version").write_text("1.7.0, c1bebfd\n")
    assert firmware() == "1.6.0, c1bebfd"


def test_claims_are_looked_for_where_nothing_of_an_npu_is_left(tree: Tree, tmp_path: Path) -> None:
    """By the names of their specifications, as the DRA driver writes them; without the folder there are none."""
    lookout = Lookout(tree.roots, claims_dir=f"{tmp_path}/cdi")
    assert lookout.look(True) == Sight((), (), (), ())
    (tmp_path / "cdi").mkdir()
    for name in (claim_file("u2"), claim_file("u1"), "furiosa.ai-npu.json", "vendor.com-claim_u3.json"):
        (tmp_path / "cdi" / name).touch()
    assert lookout.look(False) == Sight((), (), (), (), claims=("u1", "u2"))
    tree.warboy(0, "HAPS")
    assert lookout.look(False).claims == ()


def test_a_folder_of_claims_that_cannot_be_listed_is_a_failed_look(tree: Tree, tmp_path: Path) -> None:
    """Whether a claim is prepared is not known."""
    (tmp_path / "cdi").touch()
    failure = f"{tmp_path}/cdi: found Not a directory, expected the folder of CDI specifications"
    assert Lookout(tree.roots, claims_dir=f"{tmp_path}/cdi").look(True) == Sight((), (), (failure,), ())


def test_the_log_says_what_is_new_and_nothing_twice() -> None:
    """Failures, unknown cards and families, types that do not agree; and that looks succeed again."""
    unknown = CardType("npu1", "warboy", False, None, "why")
    cards = (CardType("npu0", "warboy", True, "haps"), unknown, CardType("npu2", "warboy", True, None))
    bad = Sight(("warboy",), ("0000:02:00.0",), ("/sys: gone",), cards)
    assert news(None, bad, None) == [
        Item("error", "a look at the NPUs failed, the labels stay", {"reason": "/sys: gone"}),
        Item(
            "warning",
            "hardware type not known, its label stays",
            {"npu": "npu1", "family": "warboy", "reason": "why"},
        ),
        Item("warning", "an NPU of an unknown family, the labels stay", {"pci": "0000:02:00.0"}),
        Item("warning", "NPUs of several hardware types: no hwtype label", {"types": "haps,silicon"}),
    ]
    assert news(bad, bad, None) == []
    facts = CardFacts(True, None, None, None, ("fw_version", "numa_node"))
    asked = Sight(("warboy",), (), (), (cards[0]._replace(facts=facts),), None, "/x: EACCES")
    assert news(None, asked, None) == [
        Item(
            "warning",
            "files not read, the labels that follow them stay",
            {"npu": "npu0", "family": "warboy", "files": "fw_version,numa_node"},
        ),
        Item("warning", "not known who hands out, its label stays", {"reason": "/x: EACCES"}),
    ]
    assert news(asked, asked, None) == []
    held = Sight((), (), (), (), claims=("u1", "u2"))
    assert news(None, held, None) == [
        Item("warning", "no NPU is left, the labels stay while claims are prepared", {"claims": "u1,u2"})
    ]
    assert news(held, held._replace(claims=("u1",)), None) == []
    assert news(bad, bad._replace(failures=()), None) == [Item("info", "looks at the NPUs succeed again", {})]
