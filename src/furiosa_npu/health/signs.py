"""The signs of health: what can be wrong with a card, how bad that is, and from which bound on. Pure.

docs/health.md shows the table. A bound is a number in the sign's unit; a sign without a unit has none.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from furiosa_npu.health.history import STANDSTILL_SECONDS

Severity = Literal["fatal", "warning"]


class Sign(NamedTuple):
    """One thing that can be wrong."""

    name: str
    severity: Severity
    """fatal: the card is not handed out; warning: it is, and people are told"""
    bound: float | None
    """by default; None: the sign has none"""
    unit: str
    """of the bound, for people; empty where there is none"""
    meaning: str
    least: float = 0.0
    """no bound below this; 0: over 0"""
    most: float = 1e9
    """no bound above this"""
    whole: bool = False
    """the bound is a whole number"""
    never_off: str = ""
    """why it cannot be turned off; empty: it can"""


SIGNS = (
    Sign("not-alive", "fatal", None, "", "the driver says that the card does not run (`alive`, `device_state`)"),
    Sign(
        "atr-error",
        "fatal",
        1,
        "errors",
        "a counter of `atr_error` whose name ends in `Error` grew by so many (a whole number) within a second, or from "
        "one look to the next where that is longer; over when 1.5 s pass without",
        least=1,
        whole=True,
    ),
    Sign(
        "heartbeat-stopped",
        "fatal",
        30,
        "seconds",
        "a `heartbeat` that was seen to move stands still for so long (10 at least): the firmware hangs",
        least=STANDSTILL_SECONDS,
    ),
    Sign("heartbeat-reset", "fatal", None, "", "the `heartbeat` went back: the card was reset"),
    Sign(
        "temperature",
        "fatal",
        100,
        "degrees Celsius",
        "a sensor is over its `temp*_crit`; where the driver gives none, the peak is over the bound",
    ),
    Sign("missing", "fatal", None, "", "the management folder or a device file that containers need is not there"),
    Sign("malformed", "fatal", None, "", "a file of the driver cannot be read, or does not hold what it should"),
    Sign(
        "no-answer",
        "fatal",
        2,
        "seconds",
        "the driver does not answer a read or an open for so long (0.1 at least, 10 at most, since `Allocate` waits "
        "for it); never off",
        least=0.1,
        most=10,
        never_off="a card that does not answer cannot be vouched for",
    ),
    Sign("pcie-link", "warning", None, "", "the PCIe link is narrower or slower than its maximum"),
    Sign(
        "throttling",
        "warning",
        0x172,
        "mask of `throttle_reason`",
        "the card runs slower than it could, for a reason in the mask (by default thermal, hardware and other)",
        least=1,
        whole=True,
    ),
)

NAMES = tuple(sign.name for sign in SIGNS)

Bounds = Mapping[str, float]
"""Of the signs that are on, by name; 0 for a sign without a bound. Those that cannot be turned off are always there."""

DEFAULT_BOUNDS: Bounds = {sign.name: sign.bound or 0.0 for sign in SIGNS}

EXPECTED = f"SIGN=off, SIGN=on or SIGN=BOUND with one of the signs {', '.join(NAMES)}"


def is_setting(text: str) -> bool:
    """Whether `text` says something of a sign: `temperature=90`, `throttling=off`, `throttling=0x2`.

    Raises ValueError, whose text says what of this sign was expected.
    """
    _parsed(text)
    return True


def bounds(settings: Sequence[str]) -> Bounds:
    """The bounds of the signs that are on, after `settings`, of which the last word on a sign counts.

    Raises ValueError, whose text says what was expected.
    """
    told = dict(DEFAULT_BOUNDS)
    for text in settings:
        sign, value = _parsed(text)
        if value is None:
            told.pop(sign.name, None)
        else:
            told[sign.name] = value
    return told


def _parsed(text: str) -> tuple[Sign, float | None]:
    name, _, word = text.partition("=")
    sign = next((sign for sign in SIGNS if sign.name == name), None)
    if sign is None:
        raise ValueError(EXPECTED)
    if word == "on":
        return sign, sign.bound or 0.0
    if word == "off" and not sign.never_off:
        return sign, None
    if sign.bound is None:
        raise ValueError(_expected(sign))
    try:
        value = _number(word)
    except (ValueError, OverflowError):
        raise ValueError(_expected(sign)) from None
    if not sign.least <= value <= sign.most or value == 0 or (sign.whole and not value.is_integer()):
        raise ValueError(_expected(sign))
    return sign, value


def _number(word: str) -> float:
    """As people write one; hexadecimal after `0x`. Raises ValueError and OverflowError."""
    if "_" in word or not word.isascii() or word.strip() != word:
        raise ValueError(word)
    return float(int(word, 16)) if word.startswith("0x") else float(word)


def _expected(sign: Sign) -> str:
    switch = f"{sign.name}=on" if sign.never_off else f"{sign.name}=off or {sign.name}=on"
    if sign.bound is None:
        return f"{switch}: this sign has no bound"
    number = "a whole number" if sign.whole else "a number"
    span = f"from {sign.least:g} to {sign.most:.0f}" if sign.least else f"over 0, {sign.most:.0f} at most"
    why = f"; never off: {sign.never_off}" if sign.never_off else ""
    return f"{switch}, or {sign.name}=BOUND with {number} {span} ({sign.unit}){why}"
