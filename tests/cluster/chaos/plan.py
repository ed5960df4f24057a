"""From a seed to what will happen: faults with their times, and pods with theirs. Pure: one seed, one plan."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.cluster.chaos.faults import CLOCK_STEPS_SECONDS, KIND, KINDS, FaultKind
from tests.cluster.pods import ALPHA, PLAIN

PAUSE_SECONDS = (1.5, 5.0)
"""between the begins of two faults; they last longer than that, so several are there at once"""
REST_SECONDS = 1.0
"""between the end of a fault and the next at the same place"""
POD_PAUSE_SECONDS = (1.0, 4.0)
POD_LIFE_SECONDS = (1.0, 10.0)


class Site(NamedTuple):
    """What there is to strike."""

    nodes: tuple[str, ...]
    cards: tuple[str, ...]
    """of each node, e.g. npu0"""


class Step(NamedTuple):
    """A fault that will strike."""

    number: int
    at: float
    """seconds after the begin"""
    kind: str
    node: str
    """empty: of the cluster"""
    card: str
    """empty: not of one card"""
    seconds: float
    """until it is healed"""
    clock_step_seconds: int = 0


class PodStep(NamedTuple):
    """A pod that will come."""

    at: float
    name: str
    node: str | None
    """None: the scheduler chooses"""
    requests: tuple[tuple[str, int], ...]
    """of its app container, resource name to number"""
    in_init_too: bool
    """an init container asks for the same before"""
    seconds: float
    """until it ends by itself"""
    deleted_after: float | None
    """seconds until it is deleted, which may be before it runs"""
    template: str = ""
    """the ResourceClaimTemplate that it asks by, instead"""
    claim: str = ""
    """the ResourceClaim that it shares with others, instead"""


def plan(seed: int, count: int, site: Site) -> tuple[Step, ...]:
    """`count` faults by their times. Each kind comes before one comes again, as far as `count` goes.

    The last ones are a kubelet killed on each node: with its process a kubelet forgets how long it wanted to wait
    before it starts a crashed container again, and all is to be well at the end.
    """
    chance = random.Random(seed)  # noqa: S311 - the same seed has to give the same plan
    deck = list(KINDS)
    chance.shuffle(deck)
    busy: dict[str, float] = {}
    steps: list[Step] = []
    now = 0.0
    while len(steps) < count - len(site.nodes):
        now += chance.uniform(*PAUSE_SECONDS)
        kind = deck.pop() if deck else chance.choices(KINDS, [kind.weight for kind in KINDS])[0]
        step = _placed(chance, len(steps), kind, now, site, busy)
        now = step.at
        steps.append(step)
    end = max([now, *busy.values()]) + REST_SECONDS
    last = [Step(len(steps) + n, end, "kubelet-killed", node, "", 2.0) for n, node in enumerate(site.nodes)]
    return (*steps, *last)[:count]


def _placed(
    chance: random.Random, number: int, kind: FaultKind, now: float, site: Site, busy: dict[str, float]
) -> Step:
    """The fault at a place that is free for it soonest after `now`; chance decides between those that are free."""
    nodes = {"cluster": ("",), "one node": site.nodes[:1]}.get(kind.strikes, site.nodes)
    places = [(node, card) for node in nodes for card in (site.cards if kind.strikes == "card" else ("",))]
    chance.shuffle(places)
    free_at = {place: max([now, *(busy.get(lane, 0.0) for lane in _lanes(kind, *place, site))]) for place in places}
    node, card = min(places, key=lambda place: free_at[place])
    seconds = chance.uniform(*kind.seconds)
    at = free_at[node, card]
    for lane in _lanes(kind, node, card, site):
        busy[lane] = at + seconds + REST_SECONDS
    clock_step = chance.choice(CLOCK_STEPS_SECONDS) if kind.name == "clock-stepped" else 0
    return Step(number, at, kind.name, node, card, seconds, clock_step)


def _lanes(kind: FaultKind, node: str, card: str, site: Site) -> Iterator[str]:
    """What the fault wants for itself."""
    if card:
        yield f"{node}/{card}"
    for busied in kind.busies:
        if busied == "cards":
            yield from (f"{node}/{card}" for card in site.cards)
        else:
            yield f"{node}/{busied}"


def length_seconds(steps: Sequence[Step]) -> float:
    """Until the last fault is healed."""
    return max((step.at + step.seconds for step in steps), default=0.0)


def lasting(step: Step) -> bool:
    """Something is there to heal."""
    return KIND[step.kind].seconds != (0.0, 0.0)


def pod_plan(seed: int, seconds: float, site: Site) -> tuple[PodStep, ...]:
    """Pods for so many seconds, under both names, by their times."""
    chance = random.Random(f"pods {seed}")  # noqa: S311 - as above
    steps: list[PodStep] = []
    now = 0.0
    while (now := now + chance.uniform(*POD_PAUSE_SECONDS)) < seconds:
        first, second = chance.sample((ALPHA, PLAIN), 2)
        how_many = chance.choices((1, 2, 3), (7, 2, 1))[0]
        requests = ((first, how_many), (second, 1)) if chance.random() < 0.08 else ((first, how_many),)
        steps.append(
            PodStep(
                at=now,
                name=f"chaos-{len(steps)}",
                node=chance.choice((None, *site.nodes)),
                requests=requests,
                in_init_too=chance.random() < 0.2,
                seconds=chance.uniform(*POD_LIFE_SECONDS),
                deleted_after=chance.uniform(0.5, 12.0) if chance.random() < 0.3 else None,
            )
        )
    return tuple(steps)
