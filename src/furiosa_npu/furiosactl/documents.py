"""`--format json|yaml`: a list of cards with the same keys, numbers unrounded, null where absent."""

from collections.abc import Mapping, Sequence

from furiosa_npu.furiosactl.status import card_status, file_status, file_type
from furiosa_npu.hardware.reading import Reading

Scalar = str | int | float | None
Files = Sequence[str] | Sequence[Mapping[str, str]]
Card = Mapping[str, Scalar | Files]


def info_document(cards: Sequence[Reading]) -> list[Card]:
    """`device_files`: a list of names."""
    return [_card(card, [file.name for file in card.device_files]) for card in cards]


def list_document(cards: Sequence[Reading]) -> list[Card]:
    """`device_files`: a list of {devname, type, status}, of the compute files."""
    return [
        _card(
            card,
            [
                {"devname": file.name, "type": file_type(file), "status": file_status(card, file)}
                for file in card.compute_files
            ],
        )
        for card in cards
    ]


def _card(card: Reading, device_files: Files) -> Card:
    status = card_status(card)
    return {
        "name": card.name,
        "family": card.family,
        "hwtype": card.hwtype,
        "uuid": card.uuid,
        "serial": card.serial,
        "pci_bdf": card.pci_bdf,
        "pci_dev": card.pci_dev,
        "temperature_celsius": card.temperature_celsius,
        "power_watts": card.power_watts,
        "firmware_version": card.firmware_version,
        "driver_version": card.driver_version,
        "numa_node": card.numa_node,
        "status": status.status,
        "reason": status.reason,
        "device_files": device_files,
    }


def to_json(cards: Sequence[Card]) -> str:
    """Indented JSON, text as it is."""
    import json  # only this format needs it

    return json.dumps(cards, indent=2, ensure_ascii=False) + "\n"


def to_yaml(cards: Sequence[Card]) -> str:
    """Block-style YAML 1.1 and 1.2 of this one shape; every text in double quotes, which need no guessing."""
    if not cards:
        return "[]\n"
    lines: list[str] = []
    for card in cards:
        mark = "- "
        for key, value in card.items():
            if not isinstance(value, (list, tuple)):
                lines.append(f"{mark}{key}: {_scalar(value)}")
            elif not value:
                lines.append(f"{mark}{key}: []")
            else:
                lines.append(f"{mark}{key}:")
                for file in value:
                    lines += _file(file)
            mark = "  "
    return "\n".join(lines) + "\n"


def _file(file: str | Mapping[str, str]) -> list[str]:
    if isinstance(file, str):
        return [f"    - {_scalar(file)}"]
    return [
        f"    {'- ' if position == 0 else '  '}{key}: {_scalar(text)}"
        for position, (key, text) in enumerate(file.items())
    ]


def _scalar(value: object) -> str:
    """Texts in double quotes, what nobody can see in them as `\\UXXXXXXXX`; numbers in full.

    A number in short form would need a point (`1.0e-06`): YAML 1.1 takes `1e-06` for a text.
    """
    if value is None:
        return "null"
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        return repr(value) if not exponent or "." in mantissa else f"{mantissa}.0e{power}"
    if not isinstance(value, str):
        return str(value)
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    plain = (char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
    return f'"{"".join(plain)}"'
