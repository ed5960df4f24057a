"""docs/labels.md says which labels there are, and when they go."""

from collections.abc import Mapping

import pytest

from furiosa_npu.cluster.node import is_label_value
from furiosa_npu.hardware.reading import Problem, Reading
from furiosa_npu.node_labeller.card_facts import card_with_facts
from furiosa_npu.node_labeller.labels import Labels, Sight
from furiosa_npu.node_labeller.more_labels import TABLE, MoreLabels
from tests.docs.labels import DOCUMENT, rendered
from tests.docs.markdown import tables
from tests.unit.readings import renegade

(LIFE,) = (table for table in tables(DOCUMENT) if table[0][0] == "What happens")
FOLLOW = "follow what is left"
LIVES = ("hardware", "driver", "plane")
CARDS = tuple(renegade(n)._replace(numa_node=0, firmware_version="1.2.3, abc") for n in range(2))
DRIVERLESS = Reading("renegade", None, management=False, pci_bdf="0000:3b:00.0")
UNREAD = CARDS[0]._replace(
    problems=tuple(Problem(f"/x/{name}", "EIO", "a file") for name in ("version", "fw_version", "numa_node"))
)


def _seen(*cards: Reading, plane: str | None = "dra") -> Sight:
    return Sight(("renegade",) if cards else (), (), (), tuple(map(card_with_facts, cards)), plane)


AFTER: Mapping[str, Sight] = {
    "a card comes or goes, others stay": _seen(CARDS[0]),
    "the last card goes": _seen(),
    "the driver is unloaded": _seen(DRIVERLESS, DRIVERLESS),
    "a file cannot be read, or a look at the node fails": _seen(*CARDS)._replace(failures=("EIO",)),
    "device plugin and DRA driver are both gone": _seen(*CARDS, plane=None),
}
"""what is seen then, where there were two cards and DRA handed out"""


def test_the_table_of_labels_is_the_codes() -> None:
    """Name, group, example, value and life; `python -m tests.docs.labels` writes the rows anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rendered(document)


def test_each_example_can_be_a_value() -> None:
    """As the API server has it."""
    assert [label.name for label in TABLE if not is_label_value(label.example)] == []


@pytest.mark.parametrize("event", AFTER)
def test_what_becomes_of_each_label_is_the_codes(event: str) -> None:
    """By its life: it stays, goes, or follows what is left."""
    (cells,) = (row[1:] for row in LIFE[1:] if row[0] == event)
    said = dict(zip(LIVES, cells, strict=True))
    labels = MoreLabels(("all",))
    before, after = (labels.wanted(sight) for sight in (_seen(*CARDS), AFTER[event]))
    told = [label for label in TABLE if said[label.life] != FOLLOW]
    assert {label.name: _fate(before, after, label.name) for label in told} == {
        label.name: "stay" if before[label.name] is None else said[label.life] for label in told
    }
    if FOLLOW in cells:
        assert after == labels.wanted(_seen(CARDS[0]))


def test_a_file_that_cannot_be_read_takes_no_label_away() -> None:
    """Of one card of two."""
    labels = MoreLabels(("all",))
    before, after = labels.wanted(_seen(*CARDS)), labels.wanted(_seen(CARDS[1], UNREAD))
    assert {_fate(before, after, label.name) for label in TABLE} == {"stay"}


def _fate(before: Labels, after: Labels, name: str) -> str:
    if after.get(name, before[name]) == before[name]:
        return "stay"
    return "removed" if after[name] is None else "other"
