"""A script: what happens to a living simulation, and when. From YAML text to checked steps, and playing them.

- {at: 0, do: occupy, npu: npu0, pes: ["0-1"]}
- {at: 2.5, do: fail, npu: npu0, fault: temperature=110}
- {at: 2.5, do: driver, action: unload, family: renegade}
- {at: 60, do: recover, npu: npu0}
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.simulator.card import MAX_INDEX, ScenarioError, say
from furiosa_npu.simulator.card_defaults import UUID
from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.faults import FaultError, kind_of
from furiosa_npu.simulator.simulation import Simulation
from furiosa_npu.simulator.state import UnknownNpuError


class StepError(ChangeError):
    """A step that the simulation, as it was then, would not let happen."""


class Step(NamedTuple):
    """One command at its time; fields that its command does not have are empty."""

    place: str
    """where it stands in the script, for errors"""
    at: float
    """seconds from the start"""
    do: str
    npu: str = ""
    fault: str | None = None
    pes: tuple[str, ...] = ()
    number: int = 0
    """the script's `index`"""
    uuid: str | None = None
    action: str = ""
    families: tuple[Family, ...] = FAMILIES

    def __str__(self) -> str:
        """`2.5 s: fail npu0 errors`."""
        words = [self.do, self.action, self.npu, self.fault, *self.pes, self.uuid]
        words += [str(self.number)] if self.do == "renumber" else []
        words += list(self.families) if self.do == "driver" else []
        return f"{self.at:g} s: {' '.join(word for word in words if word)}"


FIELDS: dict[str, tuple[str, ...]] = {
    "fail": ("npu", "fault?"),
    "recover": ("npu", "fault?"),
    "remove": ("npu",),
    "add": ("npu",),
    "renumber": ("npu", "index"),
    "replace": ("npu", "uuid?"),
    "occupy": ("npu", "pes?"),
    "release": ("npu", "pes?"),
    "driver": ("action", "family?"),
}
"""Each command's fields beside at and do; those with a ? may be left out."""


def parse_script(text: str, source: str = "script") -> tuple[Step, ...]:
    """The steps of a script's YAML text, in its order, which is that of their times.

    Raises `ScenarioError`, naming the field (`steps.yaml: [1].at`), what was found and what was expected.
    """
    from furiosa_npu.simulator.strict_yaml import load

    document = load(text, source)
    if not isinstance(document, list) or not document:
        raise ScenarioError(source, say(document), "a list of one step or more")
    steps: list[Step] = []
    for position, entry in enumerate(document):
        step = _step(entry, f"{source}: [{position}]")
        if steps and step.at < steps[-1].at:
            raise ScenarioError(f"{step.place}.at", say(step.at), f"not before the step above, at {steps[-1].at:g}")
        steps.append(step)
    return tuple(steps)


def _step(entry: object, place: str) -> Step:
    if not isinstance(entry, dict):
        raise ScenarioError(place, say(entry), "a mapping of at, do and what the command takes")
    do = entry.get("do")
    if not isinstance(do, str) or do not in FIELDS:
        raise ScenarioError(f"{place}.do", say(do), f"one of {', '.join(FIELDS)}")
    known = ("at", "do", *(field.removesuffix("?") for field in FIELDS[do]))
    for key in entry:
        if key not in known:
            raise ScenarioError(f"{place}.{key}", "an unknown key", f"for {do} one of {', '.join(known)}")
    for key in ("at", *FIELDS[do]):
        if not key.endswith("?") and key not in entry:
            raise ScenarioError(f"{place}.{key}", "nothing", f"for {do} a value")
    said = {key: _value(key, value, f"{place}.{key}") for key, value in entry.items()}
    names = {"index": "number", "family": "families"}
    return Step(place, **{names.get(key, key): value for key, value in said.items()})  # type: ignore[arg-type]


def _value(key: str, value: object, place: str) -> object:
    holds, expected = _CHECKS[key]
    if not holds(value):
        raise ScenarioError(place, say(value), expected)
    if key == "fault":
        try:
            kind_of(cast(str, value), to_end=True)
        except FaultError as error:
            raise ScenarioError(place, say(value), error.expected) from None
    if key == "family":
        return (value,)
    return tuple(cast(list[str], value)) if key == "pes" else value


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


_CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "at": (_is_time, "seconds from the start, 0 or more"),
    "do": (_is_word, "a command"),
    "npu": (_is_word, "the UUID, the PCI address or the name of a card"),
    "fault": (_is_word, "a fault"),
    "pes": (
        lambda value: isinstance(value, list) and bool(value) and all(map(_is_word, value)),
        'a list of PEs as text, such as ["0-1", pe4]',
    ),
    "index": (
        lambda value: type(value) is int and 0 <= value <= MAX_INDEX,
        f"an integer from 0 to {MAX_INDEX}",
    ),
    "uuid": (
        lambda value: isinstance(value, str) and UUID.fullmatch(value) is not None,
        "a UUID (8-4-4-4-12 hexadecimal digits)",
    ),
    "action": (lambda value: value in ("load", "unload"), "load or unload"),
    "family": (lambda value: value in FAMILIES, f"one of {', '.join(FAMILIES)}"),
}


def play(
    simulation: Simulation,
    steps: Sequence[Step],
    wait: Callable[[float], bool],
    clock: Callable[[], float],
    done: Callable[[Step], None],
) -> None:
    """Each step at its time from now on by `clock` (monotonic, seconds); `done` is told of it after it.

    `wait(seconds)` returns True to stop, False after that time. Raises `StepError` where a step cannot be done.
    """
    start = clock()
    for step in steps:
        if wait(max(0.0, start + step.at - clock())):
            return
        try:
            _do(simulation, step)
        except (ChangeError, UnknownNpuError, FaultError, ScenarioError) as error:
            raise StepError(f"{step.place} ({step}): {error}") from error
        done(step)


def _do(simulation: Simulation, step: Step) -> None:
    match step.do:
        case "fail":
            simulation.fail(step.npu, step.fault or "not-alive")
        case "recover":
            simulation.recover(step.npu, step.fault)
        case "remove":
            simulation.remove(step.npu)
        case "add":
            simulation.add(step.npu)
        case "renumber":
            simulation.renumber(step.npu, step.number)
        case "replace":
            simulation.replace(step.npu, step.uuid)
        case "occupy":
            simulation.occupy(step.npu, step.pes)
        case "release":
            simulation.release(step.npu, step.pes)
        case "driver" if step.action == "unload":
            simulation.unload_driver(step.families)
        case "driver":
            simulation.load_driver(step.families)
