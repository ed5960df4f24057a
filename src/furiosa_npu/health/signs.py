"""The signs of health: what can be wrong with a card, how bad that is, and from which bound on. Pure.

docs/health.md shows the table. A bound is a number in the sign's unit; a sign without a unit has none.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

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
    """no bound below this"""


SIGNS = (
    Sign("not-alive", "fatal", None, "", "the driver says that the card does not run (`alive`, `device_state`)"),
    Sign(
        "atr-error",
        "fatal",
        1,
        "errors",
        "a counter of `atr_error` whose name ends in `Error` grew by so many from one look to the next; over when "
        "1.5 s pass without",
    ),
    Sign(
        "heartbeat-stopped",
        "fatal",
        30,
        "seconds",
        "a `heartbeat` that was seen to move stands still for so long (10 at least): the firmware hangs",
        10,
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
        "the driver does not answer a read or an open for so long (0.1 at least)",
        0.1,
    ),
    Sign("pcie-link", "warning", None, "", "the PCIe link is narrower or slower than its maximum"),
    Sign(
        "throttling",
        "warning",
        0x172,
        "mask of `throttle_reason`",
        "the card runs slower than it could, for a reason in the mask (by default thermal, hardware and other)",
    ),
)

NAMES = tuple(sign.name for sign in SIGNS)

Bounds = Mapping[str, float]
"""Of the signs that are on, by name; 0 for a sign without a bound."""

DEFAULT_BOUNDS: Bounds = {sign.name: sign.bound or 0.0 for sign in SIGNS}

_LEAST = ", ".join(f"{sign.name} from {sign.least:g} on" for sign in SIGNS if sign.least)
EXPECTED = f"SIGN=off, SIGN=on or SIGN=BOUND with one of the signs {', '.join(NAMES)}; a bound over 0, {_LEAST}"


def is_setting(text: str) -> bool:
    """Whether `text` says something of a sign: `temperature=90`, `throttling=off`, `throttling=0x2`."""
    try:
        _parsed(text)
    except ValueError:
        return False
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
    if word in ("on", "off"):
        return sign, (sign.bound or 0.0) if word == "on" else None
    if sign.bound is None:
        raise ValueError(f"{name}=on or {name}=off: this sign has no bound")
    try:
        value = float(int(word, 16)) if word.startswith("0x") else float(word)
    except ValueError:
        raise ValueError(EXPECTED) from None
    if not 0 < value < 1e9 or value < sign.least:
        least = f"from {sign.least:g} on" if sign.least else "over 0"
        raise ValueError(f"{name}=BOUND with a bound {least}, in {sign.unit}")
    return sign, value
