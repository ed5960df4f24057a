"""Scenarios: what a user may say, what is filled in, and how a mistake is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.simulator import Card, ScenarioError, parse_scenario

FULL = """
cards:
  - family: warboy
    index: 3
    uuid: A76AAD68-6855-40B1-9E86-D080852D1C84
    serial: WBYB0236FH505KREO
    pci_bdf: 0000:6d:00.0
    numa_node: -1
    platform_type: VITIS
    temperature_celsius: 34
    power_watts: 12.92
    driver_version: "1.9.0, 0123abc"
    critical_celsius: 95.5
"""


def test_a_scenario_that_leaves_nothing_open_is_taken_as_it_is() -> None:
    """Each field arrives with its value."""
    assert parse_scenario(FULL) == (
        Card(
            "warboy",
            3,
            "A76AAD68-6855-40B1-9E86-D080852D1C84",
            "WBYB0236FH505KREO",
            "0000:6d:00.0",
            -1,
            "VITIS",
            34,
            12.92,
            "1.9.0, 0123abc",
            95.5,
        ),
    )


def test_an_address_of_digits_alone_is_text() -> None:
    """YAML 1.1 reads 0000:01:00.0 as a number in base sixty; nobody writes PCI addresses in quotes."""
    assert parse_scenario("cards: [{family: warboy, pci_bdf: 0000:01:00.0}]")[0].pci_bdf == "0000:01:00.0"


def test_defaults_are_the_same_each_time_and_tell_cards_apart() -> None:
    """Each family counts from zero; UUIDs, serial numbers and addresses follow the place in the list."""
    text = "cards: [{family: warboy}, {family: renegade}, {family: warboy}]"
    cards = parse_scenario(text)
    assert cards == parse_scenario(text)
    assert [(card.family, card.index) for card in cards] == [("warboy", 0), ("renegade", 0), ("warboy", 1)]
    assert [card.pci_bdf for card in cards] == ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"]
    assert len({card.uuid for card in cards}) == len({card.serial for card in cards}) == 3


def test_defaults_step_over_what_other_cards_say() -> None:
    """A default never meets an index or an address that the scenario gives to another card."""
    cards = parse_scenario("cards: [{family: warboy}, {family: warboy, index: 0, pci_bdf: '0000:01:00.0'}]")
    assert [(card.index, card.pci_bdf) for card in cards] == [(1, "0000:02:00.0"), (0, "0000:01:00.0")]


def test_early_cards_have_neither_uuid_nor_serial_number() -> None:
    """Empty text stands for the driver's empty file, on as many cards as one likes."""
    cards = parse_scenario('cards: [{family: warboy, uuid: "", serial: ""}, {family: warboy, uuid: "", serial: ""}]')
    assert [(card.uuid, card.serial) for card in cards] == [("", ""), ("", "")]


def test_new_cards_are_told_apart_from_those_that_are_there() -> None:
    """Cards that come later count on."""
    there = parse_scenario("cards: [{family: warboy}]")
    (new,) = parse_scenario("cards: [{family: warboy}]", beside=there)
    assert (new.index, new.pci_bdf) == (1, "0000:02:00.0")
    assert new.uuid != there[0].uuid


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s.yaml: found nothing, expected a mapping with the key cards"),
        ("cards: []", "s.yaml: cards: found a list [], expected a list of one card or more"),
        (
            "card: [{family: warboy}]",
            "s.yaml: found a mapping {'card': [{'family': 'warboy'}]}, expected a mapping with",
        ),
        ("{cards: [{family: warboy}], x: 1}", "s.yaml: x: found an unknown key, expected cards and nothing else"),
        ("cards: [warboy]", "s.yaml: cards[0]: found the text 'warboy', expected a mapping of family, index"),
        ("cards: [{index: 1}]", "s.yaml: cards[0].family: found nothing, expected one of warboy, renegade"),
        ("cards: [{family: npu}]", "s.yaml: cards[0].family: found the text 'npu', expected one of warboy, renegade"),
        ("cards: [{family: warboy, bdf: x}]", "s.yaml: cards[0].bdf: found an unknown key, expected one of family"),
        ("cards: [{family: warboy, index: '0'}]", "s.yaml: cards[0].index: found the text '0', expected an integer"),
        ("cards: [{family: warboy, index: 256}]", "s.yaml: cards[0].index: found the integer 256, expected an integer"),
        ("cards: [{family: warboy, index: true}]", "s.yaml: cards[0].index: found the truth value true, expected"),
        ("cards: [{family: warboy, index: 1.0}]", "s.yaml: cards[0].index: found the number 1.0, expected an integer"),
        ("cards: [{family: warboy, uuid: npu0}]", "s.yaml: cards[0].uuid: found the text 'npu0', expected a UUID"),
        ("cards: [{family: warboy, serial: 12}]", "s.yaml: cards[0].serial: found the integer 12, expected one line"),
        ("cards: [{family: warboy, pci_bdf: '1:0'}]", "s.yaml: cards[0].pci_bdf: found the text '1:0', expected a PCI"),
        ("cards: [{family: warboy, numa_node: -2}]", "s.yaml: cards[0].numa_node: found the integer -2, expected"),
        ("cards: [{family: warboy, platform_type: ''}]", "s.yaml: cards[0].platform_type: found the text '', expected"),
        ("cards: [{family: warboy, power_watts: -1}]", "s.yaml: cards[0].power_watts: found the integer -1, expected"),
        (
            "cards: [{family: warboy, power_watts: .inf}]",
            "s.yaml: cards[0].power_watts: found the number inf, expected",
        ),
        (
            "cards: [{family: warboy, driver_version: 1.9}]",
            "s.yaml: cards[0].driver_version: found the number 1.9, expec",
        ),
        ("cards: [{family: renegade, driver_version: new}]", "s.yaml: cards[0].driver_version: found the text 'new', "),
        ("cards: [{family: warboy, critical_celsius: hot}]", "s.yaml: cards[0].critical_celsius: found the text 'hot'"),
        ("cards: [{family: warboy, temperature_celsius: 4O}]", "s.yaml: cards[0].temperature_celsius: found the text"),
        ("cards: [{family: warboy, family: warboy}]", "s.yaml: line 1, column 26: found a key that stands twice"),
        ("cards: [", "s.yaml: line 1, column 9: found "),
        ("cards: \x00", "s.yaml: found the text 'unacceptable character"),
    ],
)
def test_a_mistake_names_the_field_what_was_found_and_what_was_expected(text: str, message: str) -> None:
    """One error, of one line, that a user can act on."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            "index: 1",
            "index: 1",
            "s: cards[1].index: found the integer 1, expected another one than that of s: cards[0].index",
        ),
        (
            "pci_bdf: '0000:01:00.0'",
            "pci_bdf: '0000:01:00.0'",
            "s: cards[1].pci_bdf: found the text '0000:01:00.0', expected another one than that of s: cards[0].pci_bdf",
        ),
        (
            "uuid: a76aad68-6855-40b1-9e86-d080852d1c84",
            "uuid: A76AAD68-6855-40B1-9E86-D080852D1C84",
            "s: cards[1].uuid: found the text 'A76AAD68-6855-40B1-9E86-D080852D1C84', expected another one than that",
        ),
    ],
)
def test_what_tells_cards_apart_is_said_once(first: str, second: str, message: str) -> None:
    """Two cards never share UUID, address or, within a family, index."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(f"cards: [{{family: warboy, {first}}}, {{family: warboy, {second}}}]", "s")
    assert str(caught.value).startswith(message)


def test_both_families_may_use_one_index() -> None:
    """npu0 is a name for people: each driver counts by itself."""
    cards = parse_scenario("cards: [{family: warboy, index: 0}, {family: renegade, index: 0}]")
    assert [card.name for card in cards] == ["npu0", "npu0"]


@given(st.text(max_size=200))
def test_any_text_is_cards_or_one_error(text: str) -> None:
    """Nothing that a file may hold ends in a traceback."""
    try:
        cards = parse_scenario(f"cards: [{{family: warboy, serial: {text}}}]")
    except ScenarioError as error:
        assert "found" in str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert all(isinstance(card, Card) for card in cards)


@given(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=40))
def test_cards_of_any_families_differ_in_all_that_tells_them_apart(families: list[str]) -> None:
    """Defaults never collide, however many cards."""
    cards = parse_scenario("cards:\n" + "".join(f"- family: {family}\n" for family in families))
    assert [card.family for card in cards] == families
    for facts in ([c.uuid.lower() for c in cards], [c.pci_bdf for c in cards], [(c.family, c.index) for c in cards]):
        assert len(set(facts)) == len(families)


def test_more_cards_than_a_family_has_numbers_is_an_error() -> None:
    """Device names end at npu255."""
    with pytest.raises(ScenarioError, match=r"cards\[256\]\.family: found more than 256 cards"):
        parse_scenario("cards:\n" + "- family: warboy\n" * 257)
