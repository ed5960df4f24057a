"""`config get [NPU [KEY]]` and `config set NPU KEY VALUE`: what the driver lets one set."""

from collections.abc import Sequence

from furiosa_npu.furiosactl.command_line import UsageError
from furiosa_npu.furiosactl.selection import select
from furiosa_npu.hardware.controls import CONTROLS, Control, control_path, get_control, set_control
from furiosa_npu.hardware.reading import Reading

WRITE_ONLY = "(write only)"
ABSENT = "(this driver has none)"


def config(cards: Sequence[Reading], sysfs: str, words: Sequence[str]) -> str:
    """The text to print. Raises UsageError for wrong words, ControlError for what the driver refuses."""
    action, *rest = words or ("",)
    if action == "get" and len(rest) <= 2:
        chosen = select(cards, rest[:1])
        return "".join(_get(card, sysfs, rest[1] if len(rest) == 2 else None) for card in chosen)
    if action == "set" and len(rest) == 3:
        name, key, text = rest
        (card,) = select(cards, [name])
        control = _control(card, key)
        value = control.driver_value(text)
        if value is None:
            raise UsageError(f"{key}: found {text}, expected {control.meaning}")
        set_control(control_path(sysfs, card.family, card.index or 0, control), value)
        return f"{card.name} {key}: {value}\n"
    found = " ".join(words) or "nothing"
    raise UsageError(f"config: found {found}, expected get [NPU [KEY]] or set NPU KEY VALUE")


def _get(card: Reading, sysfs: str, key: str | None) -> str:
    controls = CONTROLS[card.family] if key is None else (_control(card, key),)
    return "".join(f"{card.name} {control.key}: {_value(card, sysfs, control)}\n" for control in controls)


def _value(card: Reading, sysfs: str, control: Control) -> str:
    if not control.readable:
        return WRITE_ONLY
    value = get_control(control_path(sysfs, card.family, card.index or 0, control))
    return ABSENT if value is None else value


def _control(card: Reading, key: str) -> Control:
    for control in CONTROLS[card.family]:
        if control.key == key:
            return control
    keys = ", ".join(control.key for control in CONTROLS[card.family])
    raise UsageError(f"unknown key {key} of a {card.family}, expected one of {keys}")
