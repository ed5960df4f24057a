"""What a judgement is made of."""

from typing import NamedTuple


class Bounds(NamedTuple):
    """What the promises allow, in seconds."""

    last_look_seconds: float = 1.2
    """from the plugin's last look at a card to the first process of the container that gets it"""
    offered_seconds: float = 2.0
    """until a good idle card is offered, besides its probation"""
    first_probation_seconds: float = 1.0
    longest_probation_seconds: float = 4.0
    slack_seconds: float = 1.0
    """for what is not the plugin's: the kubelet's checkpoint, the observer's own pace"""
    never_shown_seconds: float = 12.0
    """an answered Allocate that the kubelet has not shown when it was asked is given up after 10 s; and the 2 s"""
    glimpsed_seconds: float = 1.5
    """the kubelet is asked once a second: what was in its books for less may never have been seen there"""


class Violation(NamedTuple):
    at: float
    node: str
    card: str
    what: str


class Tally(NamedTuple):
    """How often a promise was checked, and where it was not kept."""

    promise: str
    checks: int
    violations: tuple[Violation, ...]
    blames: bool = True
    """False: counted and shown, and not the product's"""
