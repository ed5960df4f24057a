"""What goes wrong in chaos: a table. A new fault is a line here and, unless the simulator does it, a way to do it."""

from typing import Literal, NamedTuple

Strikes = Literal["card", "node", "one node", "cluster"]
"""one node: always the same, the first; what is not struck there stays as it was from the first minute to the last"""


class FaultKind(NamedTuple):
    """One kind of fault and how often and how long it strikes."""

    name: str
    strikes: Strikes
    weight: int
    """of all weights together: how often it is drawn"""
    seconds: tuple[float, float]
    """how long it lasts, shortest and longest, until it is healed; (0, 0): nothing is there to heal"""
    busies: tuple[str, ...] = ()
    """what of a node no other fault may touch meanwhile; a card's fault busies the card"""
    simulator: tuple[str, str] | None = None
    """what the simulator is told of the card, at the begin and for healing"""
    shows_after_seconds: float = 0.0
    """until the agent can know it: before, the card is neither good nor bad"""
    lingers_seconds: float = 0.0
    """after it was healed, until the agent can know that"""


CARD = (2.0, 12.0)

KINDS: tuple[FaultKind, ...] = (
    FaultKind("card-not-alive", "card", 14, CARD, simulator=("fail not-alive", "recover")),
    FaultKind("card-vanishes", "card", 8, CARD, simulator=("remove", "add")),
    FaultKind("card-occupied", "card", 14, CARD, simulator=("occupy", "release")),
    FaultKind(
        "card-errors",
        "card",
        5,
        CARD,
        simulator=("fail errors", "recover"),
        shows_after_seconds=1.0,
        lingers_seconds=1.5,
    ),
    FaultKind(
        "card-heartbeat-stopped",
        "card",
        2,
        (36.0, 45.0),
        simulator=("fail heartbeat-stopped", "recover"),
        shows_after_seconds=32.0,
        lingers_seconds=1.0,
    ),
    FaultKind("card-hot", "card", 4, CARD, simulator=("fail temperature=120", "recover")),
    FaultKind("card-hangs", "card", 6, (3.0, 12.0), simulator=("fail hang=alive", "recover"), lingers_seconds=1.0),
    FaultKind("card-unreadable", "card", 4, CARD, simulator=("fail syscall=alive:EIO", "recover")),
    FaultKind("card-malformed", "card", 4, CARD, simulator=("fail malformed=alive", "recover")),
    FaultKind("card-without-device-file", "card", 4, CARD, simulator=("fail device-file-missing", "recover")),
    FaultKind("driver-unloaded", "node", 3, (2.0, 6.0), ("cards",)),
    FaultKind("kubelet-killed", "node", 8, (0.5, 6.0), ("kubelet",)),
    FaultKind("kubelet-stopped", "node", 6, (2.0, 12.0), ("kubelet",)),
    FaultKind("agent-killed", "one node", 3, (0.0, 0.0), ("agent",)),
    FaultKind("agent-killed-without-inotify", "one node", 2, (12.0, 20.0), ("agent", "inotify")),
    FaultKind("inotify-used-up", "node", 4, (5.0, 20.0), ("inotify",)),
    FaultKind("sockets-removed", "node", 7, (0.0, 0.0)),
    FaultKind("clock-stepped", "one node", 4, (6.0, 20.0), ("clock",)),
    FaultKind("disk-full", "node", 4, (3.0, 10.0), ("disk",)),
    FaultKind("api-server-stopped", "cluster", 3, (2.0, 12.0), ("api",)),
    FaultKind("api-server-killed", "cluster", 3, (0.5, 8.0), ("api",)),
)

KIND = {kind.name: kind for kind in KINDS}
BY_RECORD = {
    kind.simulator[0].removeprefix("fail ").partition("=")[0]: kind
    for kind in KINDS
    if kind.simulator is not None and kind.simulator[0].startswith("fail ")
}
"""By the name that the simulator's record has for a fault."""
OCCUPIED = "occupied"
"""what the record is said to have of a card that a stranger uses: no fault of the card's"""

CLOCK_STEPS_SECONDS = (-90_000, -3_600, -30, 45, 3_600, 90_000)
