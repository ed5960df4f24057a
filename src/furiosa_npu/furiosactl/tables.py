"""Tables as the vendor's documents show them: rules of `+---+`, one space on each side, a rule after each NPU."""

from collections.abc import Sequence

from furiosa_npu.furiosactl.status import card_status, card_title, file_status, file_type
from furiosa_npu.hardware.reading import Reading

Row = tuple[str, ...]
ABSENT = "-"


def info_table(cards: Sequence[Reading], *, full: bool = False) -> str:
    """NPU, Name, Temp., Power, PCI-BDF, PCI-DEV; with `full` UUID, S/N and Firmware too."""
    header: Row = ("NPU", "Name", "Temp.", "Power", "PCI-BDF", "PCI-DEV")
    if full:
        header = (*header, "UUID", "S/N", "Firmware")
    return _table(header, [[_info_row(card, full=full)] for card in cards], right_aligned=("Temp.",))


def list_table(cards: Sequence[Reading]) -> str:
    """NPU, DEVNAME, Type, Status: a row a compute file."""
    groups = []
    for card in cards:
        rows: list[Row] = [
            (card.name if position == 0 else "", file.name, file_type(file), file_status(card, file))
            for position, file in enumerate(card.compute_files)
        ]
        groups.append(rows or [(card.name, ABSENT, ABSENT, card_status(card).status)])
    return _table(("NPU", "DEVNAME", "Type", "Status"), groups)


def _info_row(card: Reading, *, full: bool) -> Row:
    celsius, watts = card.temperature_celsius, card.power_watts
    row = (
        card.name,
        card_title(card),
        ABSENT if celsius is None else f"{celsius:z.0f}°C",
        ABSENT if watts is None else f"{watts:z.2f} W",
        card.pci_bdf or ABSENT,
        card.pci_dev or ABSENT,
    )
    if full:
        return (*row, card.uuid or ABSENT, card.serial or ABSENT, card.firmware_version or ABSENT)
    return row


def _table(header: Row, groups: Sequence[Sequence[Row]], right_aligned: Sequence[str] = ()) -> str:
    rows = [header, *(row for group in groups for row in group)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def line(row: Row) -> str:
        cells = (
            cell.rjust(width) if name in right_aligned else cell.ljust(width)
            for cell, width, name in zip(row, widths, header, strict=True)
        )
        return "| " + " | ".join(cells) + " |"

    lines = [rule, line(header), rule]
    for group in groups:
        lines += [*map(line, group), rule]
    return "\n".join(lines) + "\n"
