"""What was seen during chaos: values, one JSON line each, so that a run can be judged again from its file.

Times are seconds of the machine's wall clock (time.time()), which chaos never touches: files' times compare with them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Booking(NamedTuple):
    """A line of the kubelet's checkpoint: what it has given to a container of a pod."""

    pod: str
    """UID"""
    container: str
    resource: str
    cards: tuple[str, ...]
    """UUIDs"""


class Holder(NamedTuple):
    """A living container whose device cgroup lets it open cards."""

    pod: str
    """UID"""
    container: str
    """the runtime's id"""
    started_at: float
    """when its first process was started"""
    cards: tuple[str, ...]
    """UUIDs; with DRA, which gives parts too: PEs, as `dra_records.pe_name` has it"""


class Sample(NamedTuple):
    """What was so on one node at one instant."""

    at: float
    node: str
    kubelet_since: float | None
    """when the kubelet made its socket for device plugins; None: none serves (killed, starting, or stopped)"""
    agent_since: float | None
    """when the plugin's process was started; None: there is none"""
    checkpoint_at: float | None
    """when the kubelet wrote its checkpoint last"""
    offered: dict[str, tuple[str, ...]]
    """resource name to the healthy cards that the checkpoint says were registered; with DRA: part to the cards of which
    it is in the node's slices without a taint, nothing while the API server does not say"""
    booked: tuple[Booking, ...]
    holders: tuple[Holder, ...]
    cards: dict[str, str]
    """UUID to what the simulator's record says of it: empty for a good card, else e.g. `not-alive`, `occupied`"""
    prepared: Mapping[str, float] = {}
    """with DRA: PE to when the CDI file was written by which containers get it"""
    read_at: float | None = None
    """when `cards` was read, by when all else was; None: not told, as at `at`"""


class PodSeen(NamedTuple):
    uid: str
    name: str
    node: str
    phase: str
    reason: str
    ended: bool
    """for the kubelet: Failed, Succeeded, or to be deleted and none of its containers runs"""
    requests: int
    """how many times its containers ask for NPUs: an admission asks the plugin as often"""
    claims: tuple[str, ...] = ()
    """names of its ResourceClaims"""


class Pods(NamedTuple):
    """What the API server said of the pods of chaos."""

    at: float
    pods: tuple[PodSeen, ...]


class Deed(NamedTuple):
    """A fault begun or healed; done between two instants."""

    began: float
    at: float
    """when it was done"""
    number: int
    kind: str
    node: str
    card: str
    heals: bool
    detail: str = ""


Event = Sample | Pods | Deed
_KINDS: dict[str, type[Sample] | type[Pods] | type[Deed]] = {"sample": Sample, "pods": Pods, "deed": Deed}


def to_line(event: Event) -> str:
    """One line of JSON, without its end."""
    (kind,) = (name for name, made in _KINDS.items() if isinstance(event, made))
    return json.dumps([kind, *event], separators=(",", ":"))


def from_lines(lines: Iterable[str]) -> list[Event]:
    return [_event(json.loads(line)) for line in lines]


def _event(fields: list[Any]) -> Event:
    kind, *rest = fields
    if kind == "pods":
        return Pods(rest[0], tuple(_pod_seen(*pod) for pod in rest[1]))
    if kind == "deed":
        return Deed(*rest)
    sample = Sample(*rest)
    return sample._replace(
        offered={resource: tuple(cards) for resource, cards in sample.offered.items()},
        booked=tuple(Booking(pod, container, name, tuple(cards)) for pod, container, name, cards in sample.booked),
        holders=tuple(Holder(pod, container, at, tuple(cards)) for pod, container, at, cards in sample.holders),
    )


def _pod_seen(*fields: Any) -> PodSeen:
    """Histories of before DRA know of no claims."""
    seen = PodSeen(*fields)
    return seen._replace(claims=tuple(seen.claims))
