"""`config get [NPU [KEY]]` and `config set NPU KEY VALUE`: what the driver lets one set."""

from collections.abc import Sequence

from furiosa_npu.furiosactl.command_line import UsageError
from furiosa_npu.furiosactl.output import Output
from furiosa_npu.furiosactl.selection import select
from furiosa_npu.hardware.controls import CONTROLS, Control, ControlError, control_path, get_control, set_control
from furiosa_npu.hardware.reading import Reading

WRITE_ONLY = "(write only)"
ABSENT = "(this driver has none)"


def config(cards: Sequence[Reading], sysfs: str, words: Sequence[str]) -> Output:
    """Raises UsageError for wrong words; what the driver refuses is a complaint, exit code 1."""
    action, *rest = words or ("",)
    if action == "get" and len(rest) <= 2:
        return _get(select(cards, rest[:1]), sysfs, rest[1:])
    if action == "set" and len(rest) == 3:
        name, key, text = rest
        (card,) = select(cards, [name])
        return _set(card, sysfs, _control(card, key), text)
    found = " ".join(words) or "nothing"
    raise UsageError(f"config: found {found}, expected get [NPU [KEY]] or set NPU KEY VALUE")


def _get(cards: Sequence[Reading], sysfs: str, keys: Sequence[str]) -> Output:
    """A line a setting; one that cannot be read hides no other."""
    lines, complaints = [], []
    for card in cards:
        for control in [_control(card, key) for key in keys] or CONTROLS[card.family]:
            try:
                lines.append(f"{card.name} {control.key}: {_value(card, sysfs, control)}\n")
            except ControlError as error:
                complaints.append(f"{card.name} {control.key}: {error}")
    return Output("".join(lines), tuple(complaints), 1 if complaints else 0)


def _value(card: Reading, sysfs: str, control: Control) -> str:
    if not control.readable:
        return WRITE_ONLY
    path = _path(card, sysfs, control)
    value = get_control(path)
    if value is None and not card.management:
        raise ControlError(f"{path}: found no management folder, expected the driver's")
    return ABSENT if value is None else value


def _set(card: Reading, sysfs: str, control: Control, text: str) -> Output:
    value = control.driver_value(text)
    if value is None:
        raise UsageError(f"{control.key}: found {text or 'nothing'}, expected {control.meaning}")
    try:
        set_control(_path(card, sysfs, control), value)
    except ControlError as error:
        return Output("", (str(error),), 1)
    return Output(f"{card.name} {control.key}: {value}\n")


def _path(card: Reading, sysfs: str, control: Control) -> str:
    if card.index is None:
        raise ControlError(f"{card.name}: found no number, expected one in the names of its device files")
    return control_path(sysfs, card.family, card.index, control)


def _control(card: Reading, key: str) -> Control:
    for control in CONTROLS[card.family]:
        if control.key == key:
            return control
    keys = ", ".join(control.key for control in CONTROLS[card.family])
    raise UsageError(f"unknown key {key} of a {card.family}, expected one of {keys}")
