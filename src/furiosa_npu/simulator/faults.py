"""What can go wrong with a card: each fault's name, its value, and what the drivers' files then show."""

from typing import Literal, NamedTuple

Root = Literal["sys", "dev"]
"""of a simulation, as it may be mounted"""

SYSTEM_CALL_ERRORS = ("EACCES", "EIO", "ENODEV")
"""What `syscall=FILE:ERRNO` may answer."""


class FaultError(ValueError):
    """The user named a fault that there is none of, or a value that it cannot have."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"FAULT: found {found!r}, expected {expected}")
        self.expected = expected


class Fault(NamedTuple):
    """A fault of one card."""

    name: str
    value: str = ""
    """in the one form that `fault_values.read_fault` gives it; empty where the fault has none"""

    def __str__(self) -> str:
        return f"{self.name}={self.value}" if self.value else self.name

    @property
    def subject(self) -> tuple[str, str]:
        """What there is one fault of at a time: `missing` may strike two files, and a card has one temperature."""
        if self.name in FILE_FAULTS:
            return self.name, self.value.partition(":")[0]
        return self.name, ""


class FaultKind(NamedTuple):
    """What the user may say."""

    name: str
    value: str
    """what stands behind the =, as the help names it; empty: nothing"""
    default: str | None
    """where no value is said; None: one has to be said"""
    what: str
    """what the drivers' files show"""
    through: Root | None = None
    """of a fault of system calls, which plain files cannot have: the root that has to be mounted for it to show"""

    @property
    def usage(self) -> str:
        """`malformed[=FILE]`."""
        if not self.value:
            return self.name
        return f"{self.name}={self.value}" if self.default is None else f"{self.name}[={self.value}]"


KINDS = (
    FaultKind("not-alive", "", None, "the driver says that the card does not answer; heartbeat and counters stop"),
    FaultKind("errors", "", None, "lines of atr_error that end in Error grow at once and each second"),
    FaultKind("heartbeat-stopped", "", None, "heartbeat stands still while all else lives"),
    FaultKind("heartbeat-reset", "", None, "once: heartbeat goes back to 0 and goes on from there"),
    FaultKind("temperature", "DEGREES", "120", "the sensor PEAK shows so many degrees Celsius (120)"),
    FaultKind("throttling", "MASK", "0x2", "Renegade: throttle_reason shows this mask in hexadecimal (0x2)"),
    FaultKind("link-narrow", "", None, "current_link_width is half of max_link_width"),
    FaultKind("link-slow", "", None, "current_link_speed is one PCIe generation below max_link_speed"),
    FaultKind("no-management", "", None, "the management folder is missing"),
    FaultKind("no-device-files", "", None, "all device files are missing"),
    FaultKind("device-file-missing", "NAME", "", "one device file is missing (the widest fused one)"),
    FaultKind("malformed", "FILE", "heartbeat", "a management file holds what its format does not allow (heartbeat)"),
    FaultKind("empty", "FILE", "heartbeat", "a management file is empty (heartbeat)"),
    FaultKind("missing", "FILE", "heartbeat", "a management file is missing (heartbeat)"),
    FaultKind("unreadable", "FILE", "heartbeat", "a management file has mode 000, closed to all but root (heartbeat)"),
    FaultKind(
        "syscall",
        "FILE:ERRNO",
        None,
        f"reading a management file, or perf_regs, fails: {', '.join(SYSTEM_CALL_ERRORS)}",
        "sys",
    ),
    FaultKind("hang", "FILE", None, "reading a management file, or perf_regs, hangs until the fault is over", "sys"),
    FaultKind(
        "hang-open",
        "NAME",
        "",
        "opening a device file to read and write hangs until the fault is over (the widest fused one)",
        "dev",
    ),
)
"""Of both families, unless one is named."""

KIND = {kind.name: kind for kind in KINDS}
FILE_FAULTS = frozenset(
    ("device-file-missing", "malformed", "empty", "missing", "unreadable", "syscall", "hang", "hang-open")
)

USAGES = ", ".join(kind.usage for kind in KINDS)


def kind_of(text: str, *, to_end: bool = False) -> FaultKind:
    """The kind that `NAME` or `NAME=VALUE` names; one `to_end` goes by its name alone. Raises `FaultError`."""
    kind = KIND.get(text.partition("=")[0])
    if kind is None:
        raise FaultError(text, f"one of {USAGES}")
    if not kind.value and "=" in text:
        raise FaultError(text, f"{kind.usage}, which has no value")
    if kind.value and kind.default is None and not to_end and not text.partition("=")[2]:
        raise FaultError(text, kind.usage)
    return kind
