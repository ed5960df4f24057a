"""What a scenario leaves open: the place of a card in the list decides, what others have said is stepped over."""

import itertools
import re
import uuid
from collections.abc import Iterator, Sequence
from typing import cast

from furiosa_npu.hardware.reading import Family
from furiosa_npu.simulator.card import MAX_INDEX, Card, ScenarioError, say
from furiosa_npu.simulator.families import MODELS, model_of

UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)


def fill(wishes: Sequence[dict[str, object]], taken: Sequence[Card], source: str) -> tuple[Card, ...]:
    """Cards of what a scenario says, `taken` before them. Raises `ScenarioError` where a family's indexes run out."""
    uuids = {card.uuid.lower() for card in taken} | {str(w["uuid"]).lower() for w in wishes if "uuid" in w}
    addresses = {card.pci_bdf for card in taken} | {str(w["pci_bdf"]) for w in wishes if "pci_bdf" in w}
    indexes = {(card.family, card.index) for card in taken}
    indexes |= {(cast(Family, w["family"]), cast(int, w["index"])) for w in wishes if "index" in w}
    cards = []
    for offset, wish in enumerate(wishes):
        position = len(taken) + offset
        said = dict(wish)
        family = cast(Family, said["family"])
        if "index" not in said:
            free = next((number for number in range(MAX_INDEX + 1) if (family, number) not in indexes), None)
            if free is None:
                raise ScenarioError(
                    f"{source}: cards[{offset}].family",
                    f"more than {MAX_INDEX + 1} cards",
                    "indexes 0 to 255 in a family",
                )
            said["index"] = free
            indexes.add((family, free))
        if "pci_bdf" not in said:
            said["pci_bdf"] = next(address for address in _addresses(position) if address not in addresses)
            addresses.add(cast(str, said["pci_bdf"]))
        text = next(candidate for candidate in _uuids(f"{position}") if candidate not in uuids)
        uuids.add(text)
        model = MODELS[family]
        defaults = {
            "uuid": model.uuid_case(text),
            "serial": f"{model.serial_prefix}{position:06}",
            "numa_node": 0,
            "platform_type": "FuriosaAI",
            "temperature_celsius": model.temperature_celsius,
            "power_watts": model.power_watts,
            "driver_version": model.driver_version,
            "critical_celsius": None,
        }
        cards.append(Card(**(defaults | said)))  # type: ignore[arg-type]
    return tuple(cards)


def successor(old: Card, uuid_text: str | None, there: Sequence[Card]) -> Card:
    """The card that takes the place of `old`. Raises `ScenarioError` for a UUID that is none, or is another card's."""
    taken = {card.uuid.lower() for card in there}
    model = model_of(old)
    if uuid_text is None:
        new = model.uuid_case(next(text for text in _uuids(f"{old.uuid}/{old.serial}") if text not in taken))
    elif UUID.fullmatch(uuid_text) is None:
        raise ScenarioError("UUID", say(uuid_text), "8-4-4-4-12 hexadecimal digits")
    elif uuid_text.lower() in taken:
        raise ScenarioError("UUID", say(uuid_text), "another one than that of a card which is there")
    else:
        new = uuid_text
    return old._replace(uuid=new, serial=f"{model.serial_prefix}{new[:8].upper()}")


def _uuids(name: str) -> Iterator[str]:
    """UUIDs of a name, the same each time."""
    name_space = uuid.uuid5(uuid.NAMESPACE_DNS, "furiosa-npu-simulator")
    for attempt in itertools.count():
        yield str(uuid.uuid5(name_space, name if attempt == 0 else f"{name}/{attempt}"))


def _addresses(position: int) -> Iterator[str]:
    """PCI addresses from `0000:01:00.0` on: the one of this position first."""
    for step in range(position, position + 2048):
        yield f"{step // 255:04x}:{step % 255 + 1:02x}:00.0"
