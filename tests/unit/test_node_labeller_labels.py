"""Which labels a node should have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.node_labeller.labels import (
    FAMILY_LABEL,
    HWTYPE_LABEL,
    CardType,
    Labels,
    Sight,
    changes,
    mixed_hwtypes,
    wanted_labels,
)

NOTHING = Sight((), (), (), ())

NONE: Labels = {FAMILY_LABEL: None, HWTYPE_LABEL: None}


def _labels(family: str | None, hwtype: str | None = None) -> Labels:
    return {FAMILY_LABEL: family, HWTYPE_LABEL: hwtype}


def _cards(*types: str | None, family: Family = "warboy", known: bool = True) -> tuple[CardType, ...]:
    return tuple(CardType(f"npu{number}", family, known, hwtype) for number, hwtype in enumerate(types))


def _sight(*cards: CardType, failures: tuple[str, ...] = ()) -> Sight:
    families = tuple(family for family in FAMILIES if any(card.family == family for card in cards))
    return Sight(families, (), failures, cards)


UNKNOWN = CardType("npu9", "warboy", False, None, "no driver")


@pytest.mark.parametrize(
    ("sight", "current", "silicon", "wanted"),
    [
        (_sight(*_cards("haps")), NONE, None, _labels("warboy", "haps")),
        (_sight(*_cards("u250", "u250")), NONE, None, _labels("warboy", "u250")),
        (_sight(*_cards(None)), NONE, None, _labels("warboy")),
        (_sight(*_cards(None)), _labels("warboy", "haps"), None, _labels("warboy")),
        (_sight(*_cards(None)), NONE, "silicon", _labels("warboy", "silicon")),
        (_sight(*_cards("haps")), NONE, "silicon", _labels("warboy", "haps")),
        (_sight(*_cards(None, family="renegade")), NONE, None, _labels("renegade")),
        (_sight(*_cards("haps"), *_cards(None, family="renegade")), NONE, None, _labels("warboy", "haps")),
        (_sight(*_cards(None), *_cards("haps", family="renegade")), NONE, None, _labels("warboy")),
        (_sight(*_cards("haps", "u250")), _labels("warboy", "haps"), None, _labels("warboy")),
        (_sight(*_cards("haps", None)), NONE, None, _labels("warboy")),
        (_sight(*_cards("haps"), UNKNOWN), _labels("warboy", "u250"), None, _labels("warboy", "u250")),
        (_sight(*_cards("haps"), UNKNOWN), NONE, None, _labels("warboy", "haps")),
        (_sight(UNKNOWN), _labels("warboy", "haps"), None, _labels("warboy", "haps")),
        (_sight(UNKNOWN), NONE, None, _labels("warboy")),
        (NOTHING, _labels("warboy", "haps"), None, NONE),
        (NOTHING._replace(failures=("sysfs",)), _labels("warboy", "haps"), None, _labels("warboy", "haps")),
        (NOTHING._replace(unknown_devices=("0000:01:00.0",)), _labels("renegade"), None, _labels("renegade")),
        (NOTHING._replace(failures=("sysfs",)), NONE, None, NONE),
        (_sight(*_cards(None, family="renegade"), failures=("sysfs",)), NONE, None, _labels("renegade")),
        (
            _sight(*_cards(None, family="renegade"), failures=("sysfs",)),
            _labels("warboy", "haps"),
            None,
            _labels("warboy", "haps"),
        ),
        (_sight(*_cards(None, family="renegade")), _labels("warboy"), None, _labels("renegade")),
        (_sight(*_cards("haps")), _labels("someone's", "other"), None, _labels("warboy", "haps")),
    ],
)
def test_the_labels_follow_what_is_seen_and_stay_where_it_is_not_known(
    sight: Sight, current: Labels, silicon: str | None, wanted: Labels
) -> None:
    """The table of the rules; the left column sees, the right one wants."""
    assert wanted_labels(sight, current, silicon) == wanted


def test_types_that_do_not_agree_are_told() -> None:
    """For the log: no label has a reason."""
    assert mixed_hwtypes(_sight(*_cards("haps", "u250", None)), None) == ("haps", "silicon", "u250")
    assert mixed_hwtypes(_sight(*_cards("haps", "haps"), UNKNOWN), None) == ()
    assert mixed_hwtypes(_sight(*_cards("haps"), *_cards(None, family="renegade")), None) == ()


families = st.sampled_from(FAMILIES)
hwtypes = st.sampled_from(["haps", "u250", None])
cards = st.builds(CardType, st.just("npu0"), families, st.booleans(), hwtypes)
sights = st.builds(
    lambda seen, failures, unknown: _sight(*seen, failures=failures)._replace(unknown_devices=unknown),
    st.lists(cards, max_size=4),
    st.sampled_from([(), ("sysfs",)]),
    st.sampled_from([(), ("0000:01:00.0",)]),
)
labels = st.builds(
    _labels, st.sampled_from([None, "warboy", "renegade", "odd"]), st.sampled_from([None, "haps", "u250", "odd"])
)
silicons = st.sampled_from([None, "silicon"])


@given(sights, labels, silicons)
def test_the_family_label_goes_only_when_nothing_is_there(sight: Sight, current: Labels, silicon: str | None) -> None:
    """The plugin's DaemonSet selects on it."""
    wanted = wanted_labels(sight, current, silicon)
    if current[FAMILY_LABEL] is not None and wanted[FAMILY_LABEL] is None:
        assert sight.nothing


@given(sights, labels, silicons)
def test_what_was_written_needs_no_second_write(sight: Sight, current: Labels, silicon: str | None) -> None:
    """The decision is at rest after one patch: nothing is written while nothing changes."""
    written = current | changes(wanted_labels(sight, current, silicon), current)
    assert changes(wanted_labels(sight, written, silicon), written) == {}


@given(sights, labels, silicons)
def test_a_hwtype_label_stays_where_a_card_is_not_known(sight: Sight, current: Labels, silicon: str | None) -> None:
    """A failed detection is no news."""
    wanted = wanted_labels(sight, current, silicon)
    unknown = any(card.family == wanted[FAMILY_LABEL] and not card.known for card in sight.cards)
    if unknown and current[HWTYPE_LABEL] is not None:
        assert wanted[HWTYPE_LABEL] == current[HWTYPE_LABEL]


@given(sights, labels, silicons)
def test_a_node_without_the_family_label_has_no_hwtype_label(
    sight: Sight, current: Labels, silicon: str | None
) -> None:
    """Nothing is left behind."""
    wanted = wanted_labels(sight, current, silicon)
    assert wanted[FAMILY_LABEL] is not None or wanted[HWTYPE_LABEL] is None
