"""How it ends: what has to be so once all faults are healed, and what the agents became meanwhile. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tests.cluster.chaos.history import Deed
from tests.cluster.chaos.processes import Memory
from tests.cluster.chaos.tally import Tally, Violation

WELL_AGAIN = "after the last fault all is offered and the agents are Ready, none touched or restarted but those killed"
TURNED_AWAY = (
    "the kubelet's own: an agent's pod that ran turned away by a kubelet that did not know its node's labels yet"
)
_NODE_AFFINITY = "Predicate NodeAffinity failed"
_NEVER_RAN = "128 StartError"
"""of a container whose kubelet was killed while it was being started: the kubelet counts it as one that ended"""
BOUNDED = "the agents' anonymous memory grew by at most 3 MiB"
GROWTH_KIB = 3072


class Agent(NamedTuple):
    """A pod of an agent."""

    node: str
    program: str
    uid: str
    restarts: int
    ready: bool
    memory: Memory | None
    """of its process; None: it does not run"""
    last_end: str = ""
    """how its container ended last, if it did: exit code and reason"""


def judge_end(
    before: Sequence[Agent],
    after: Sequence[Agent],
    kills: Mapping[tuple[str, str], int],
    not_offered: str,
    at: float,
    told: Callable[[str], str] = lambda _: "",
) -> tuple[Tally, ...]:
    """`kills`: how many times an agent of (node, program) was killed; `not_offered`: what is missing at the end;
    `told`: what the cluster's events say of the pod with a UID.
    """
    violations = [Violation(at, "", "", not_offered)] if not_offered else []
    memory: list[Violation] = []
    turned_away: list[Violation] = []
    by_place = {(agent.node, agent.program): agent for agent in after}
    for agent in before:
        place = (agent.node, agent.program)
        now = by_place.get(place)
        wrong = _wrong(agent, now, kills.get(place, 0), told)
        if now is not None and now.ready and now.uid != agent.uid and _NODE_AFFINITY in wrong:
            # 1.20.2 admits the pods that run anew when it starts, before it has read its node's labels; the DaemonSet
            # makes another one.
            turned_away.append(Violation(at, agent.node, "", f"{agent.program}: its pod was {agent.uid}"))
        elif wrong:
            violations.append(Violation(at, agent.node, "", f"{agent.program}: {wrong}"))
        if now is not None and now.memory is not None and agent.memory is not None:
            grown = now.memory.anonymous_kib - agent.memory.anonymous_kib
            if grown > GROWTH_KIB:
                memory.append(Violation(at, agent.node, "", f"{agent.program}: RssAnon grew by {grown} KiB"))
    return (
        Tally(WELL_AGAIN, 1 + len(before), tuple(violations)),
        Tally(TURNED_AWAY, len(before), tuple(turned_away), blames=False),
        Tally(BOUNDED, len(before), tuple(memory)),
    )


def _wrong(before: Agent, now: Agent | None, kills: int, told: Callable[[str], str]) -> str:
    if now is None:
        return f"its pod is not there{told(before.uid)}"
    if now.uid != before.uid:
        return f"its pod was {before.uid} and is {now.uid}{told(before.uid)}"
    restarts = now.restarts - before.restarts
    if restarts > kills + now.last_end.startswith(_NEVER_RAN):
        return f"restarted {restarts} times and was killed {kills} times; ended last: {now.last_end}"
    return "" if now.ready else "not Ready"


def agent_kills(deeds: Sequence[Deed], program: str) -> dict[tuple[str, str], int]:
    """How many processes of the program were killed, by (node, program)."""
    kills: dict[tuple[str, str], int] = {}
    for deed in deeds:
        if deed.kind.startswith("agent-killed") and not deed.heals and deed.detail.startswith("pid "):
            kills[deed.node, program] = kills.get((deed.node, program), 0) + 1
    return kills
