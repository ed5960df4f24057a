"""A scenario: which cards a simulation starts with, from YAML text to checked values.

cards:
  - family: warboy          # or renegade; the only field that has to be there
    index: 0                # the number in npu0; by default the lowest free one of the family
    uuid: A76AAD68-...      # "" is an early card that has none; by default derived from the place in the list
    serial: WBYB...         # likewise
    pci_bdf: 0000:01:00.0
    numa_node: 0            # -1 is none
    platform_type: FuriosaAI  # VITIS and HAPS are the FPGA samples
    temperature_celsius: 40
    power_watts: 1.37
    driver_version: "2023.3.0, abc1234"  # as the file version shows it; a Renegade's before 2024.2 is an older driver
    critical_celsius: 95    # every temperature sensor has temp<n>_crit; by default none has
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.simulator.card import MAX_INDEX, Card, ScenarioError, say
from furiosa_npu.simulator.card_defaults import UUID, fill


class _Field(NamedTuple):
    """A value of the scenario and where it stands, for errors."""

    place: str
    value: object

    def wrong(self, expected: str) -> ScenarioError:
        return ScenarioError(self.place, say(self.value), expected)


_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){2}(, [0-9A-Za-z]{1,40})?", re.ASCII)
_BDF = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


def parse_scenario(text: str, source: str = "scenario", beside: Sequence[Card] = ()) -> tuple[Card, ...]:
    """Cards of a scenario's YAML text, in its order, defaults filled in.

    `source` names the file in errors. `beside`: cards that are there already and must not be met again.
    Raises `ScenarioError`, naming the field (`cards[1].pci_bdf`), what was found and what was expected.
    """
    from furiosa_npu.simulator.strict_yaml import load

    document = load(text, source)
    if not isinstance(document, dict) or "cards" not in document:
        raise ScenarioError(source, say(document), "a mapping with the key cards")
    for key in document:
        if key != "cards":
            raise ScenarioError(f"{source}: {key}", "an unknown key", "cards and nothing else")
    entries = document["cards"]
    if not isinstance(entries, list) or not entries:
        raise ScenarioError(f"{source}: cards", say(entries), "a list of one card or more")
    wishes = [_wishes(entry, f"{source}: cards[{position}]") for position, entry in enumerate(entries)]
    taken = list(beside)
    _refuse_twins(wishes, taken)
    return fill([{name: field.value for name, field in wish.items()} for wish in wishes], taken, source)


def _wishes(entry: object, place: str) -> dict[str, _Field]:
    """One entry of the list: every field there of the right type and form, whatever the other cards say."""
    if not isinstance(entry, dict):
        raise ScenarioError(place, say(entry), f"a mapping of {', '.join(Card._fields)}")
    fields = {}
    for key, value in entry.items():
        if key not in Card._fields:
            raise ScenarioError(f"{place}.{key}", "an unknown key", f"one of {', '.join(Card._fields)}")
        field = _Field(f"{place}.{key}", value)
        _CHECKS[key](field)
        fields[key] = field
    if "family" not in fields:
        raise ScenarioError(f"{place}.family", "nothing", f"one of {', '.join(FAMILIES)}")
    return fields


def _check_family(field: _Field) -> None:
    if field.value not in FAMILIES:
        raise field.wrong(f"one of {', '.join(FAMILIES)}")


def _check_index(field: _Field) -> None:
    if type(field.value) is not int or not 0 <= field.value <= MAX_INDEX:
        raise field.wrong(f"an integer from 0 to {MAX_INDEX}")


def _check_uuid(field: _Field) -> None:
    if not isinstance(field.value, str) or not (field.value == "" or UUID.fullmatch(field.value)):
        raise field.wrong('a UUID (8-4-4-4-12 hexadecimal digits), or "" for a card without one')


def _check_serial(field: _Field) -> None:
    if not isinstance(field.value, str) or not (field.value == "" or _is_word_line(field.value)):
        raise field.wrong('one line of printable text (a number in quotes), or "" for a card without one')


def _check_pci_bdf(field: _Field) -> None:
    if not isinstance(field.value, str) or not _BDF.fullmatch(field.value):
        raise field.wrong("a PCI address in lower case, e.g. 0000:6d:00.0")


def _check_numa_node(field: _Field) -> None:
    if type(field.value) is not int or not -1 <= field.value <= 1023:
        raise field.wrong("an integer from -1 (none) to 1023")


def _check_platform_type(field: _Field) -> None:
    if not isinstance(field.value, str) or not _is_word_line(field.value):
        raise field.wrong("one line of printable text, e.g. FuriosaAI, VITIS or HAPS")


def _check_temperature(field: _Field) -> None:
    if not _is_number(field.value) or not -273.15 <= cast(float, field.value) <= 1000:
        raise field.wrong("a number of degrees Celsius from -273.15 to 1000")


def _check_driver_version(field: _Field) -> None:
    if not isinstance(field.value, str) or not _VERSION.fullmatch(field.value):
        raise field.wrong('a driver version, e.g. "2023.3.0, abc1234" (in quotes)')


def _check_power(field: _Field) -> None:
    if not _is_number(field.value) or not 0 <= cast(float, field.value) <= 100_000:
        raise field.wrong("a number of watts from 0 to 100000")


_CHECKS = {
    "family": _check_family,
    "index": _check_index,
    "uuid": _check_uuid,
    "serial": _check_serial,
    "pci_bdf": _check_pci_bdf,
    "numa_node": _check_numa_node,
    "platform_type": _check_platform_type,
    "temperature_celsius": _check_temperature,
    "power_watts": _check_power,
    "driver_version": _check_driver_version,
    "critical_celsius": _check_temperature,
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_word_line(text: str) -> bool:
    return bool(text) and text == text.strip() and text.isprintable() and len(text) <= 200


def _refuse_twins(wishes: Iterable[dict[str, _Field]], taken: Iterable[Card]) -> None:
    """No two cards share what tells cards apart: the UUID, the PCI address, and the index within a family."""
    seen: dict[tuple[object, ...], str] = {}
    for card in taken:
        keys: tuple[tuple[object, ...], ...] = (
            ("uuid", card.uuid.lower()),
            ("pci_bdf", card.pci_bdf),
            ("index", card.family, card.index),
        )
        for key in keys:
            seen[key] = f"{card.name} ({card.family}), which is there already"
    for wish in wishes:
        family = wish["family"].value
        for name in ("uuid", "pci_bdf", "index"):
            field = wish.get(name)
            if field is None or field.value == "":
                continue
            told = (family, field.value) if name == "index" else (str(field.value).lower(),)
            key = (name, *told)
            if key in seen:
                raise ScenarioError(field.place, say(field.value), f"another one than that of {seen[key]}")
            seen[key] = field.place
