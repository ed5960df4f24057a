"""A publication, an API server for it and a clock, for tests of what is written of a node's slices."""

import json
from functools import cache

from furiosa_npu.allocation.census import Rules, Seen, census
from furiosa_npu.allocation.ledger import Ledger, hand_out
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.resource_slice_json import parse
from furiosa_npu.cluster.resource_slices import Content, Device, without_times
from furiosa_npu.dra_driver.devices import CardDevices, Tainting, offering
from furiosa_npu.dra_driver.gates import Gates, admitted
from furiosa_npu.dra_driver.publication import Publication
from furiosa_npu.dra_driver.publication_trouble import Notice
from tests.unit.readings import renegade, warboy
from tests.unit.slices_server import CLASSES, SLICES, SlicesServer

DRIVER, NODE = "npu.furiosa.ai", "worker-1"
RULES = Rules(family=None, disable=(), pe_form="fused")
AWAY = Answer(None, None, "https://api: cannot connect (Connection refused): is the API server away?")
PREFIX = "worker-1.npu.furiosa.ai-"
READ = ["GET node", "GET slices", "GET classes"]
LOOK = ["GET slices"]
"""as `exchange` tells what was asked: all that is read, and the slices alone"""


@cache
def card(number: int, variant: str = "good", family: str = "warboy", at: float = 1.0) -> CardDevices:
    """A card and its partitions: good, failed, its PE 1 in use by a stranger, its PE 0 held by a claim."""
    reading = warboy(number) if family == "warboy" else renegade(number)
    if variant == "dead":
        reading = reading._replace(alive=False)
    if variant == "used":
        reading = reading._replace(busy=(f"npu{number}pe1",))
    held = (f"npu-{family}-{number}-pe0",) if variant == "held" else ()
    ledger = hand_out(Ledger(), "claim", held, 0.0)
    pool = census({}, Seen((reading,)), ledger, RULES, at, None, PARTITIONED)
    (found,) = offering(pool, held, (), Tainting(0.0)).cards
    return found


def wanted(cards: tuple[CardDevices, ...], gates: Gates) -> dict[str, Device]:
    """The devices as they should stand there, whenever their taints were added."""
    return _by_name(Content(tuple(device for group in admitted(cards, gates) for device in group.devices)))


def visible(server: SlicesServer) -> dict[str, Device]:
    """What a scheduler believes in."""
    devices = server.visible()
    some = next(iter(server.slices.values()), None)
    if some is None:
        return {}
    content = parse({**some, "spec": {**some["spec"], "devices": [*devices.values()], "sharedCounters": []}}).content
    assert content is not None
    return _by_name(content)


def _by_name(content: Content) -> dict[str, Device]:
    return {device.name: device for device in without_times(content).devices}


class Desk:
    """A publication, its API server and a clock."""

    def __init__(self, server: SlicesServer | None = None) -> None:
        self.server = server or SlicesServer(NODE)
        self.publication = Publication(DRIVER, NODE)
        self.now = 1000.0
        self.notices: list[Notice] = []

    def offer(self, *cards: CardDevices) -> None:
        self.publication.offer(cards, self.now)

    def take(self) -> tuple[ApiRequest, ...]:
        """Goes on to the time at which something is due, and takes it."""
        due_at = self.publication.due_at()
        assert due_at is not None
        self.now = max(self.now, due_at)
        return self.publication.take(self.now)

    def exchange(self, answer: Answer | None = None) -> list[str]:
        """One round; what was asked. `answer`: the same to each request, which the server then never saw."""
        requests = self.take()
        answers = [answer or self.server.ask(request) for request in requests]
        if requests:
            self.notices += self.publication.answered(answers, self.now, 1.0)
        return [told(request) for request in requests]

    def settle(self) -> list[list[str]]:
        """Rounds until nothing is due for a while."""
        rounds = []
        for _ in range(40):
            due_at = self.publication.due_at()
            if due_at is None or due_at > self.now + 3.0:
                break
            rounds.append(self.exchange())
        else:
            raise AssertionError(f"no end: {rounds[-4:]}")
        if self.server.fault is not None:
            raise AssertionError(self.server.fault)
        return [asked for asked in rounds if asked]


def told(request: ApiRequest) -> str:
    """`PUT devices-0 g2/3`: method, slice, generation and number of slices."""
    if request.method == "GET":
        return "GET classes" if request.path == CLASSES else "GET slices" if SLICES in request.path else "GET node"
    body = json.loads(request.body or "{}")
    name = request.path.removeprefix(f"{SLICES}/") if request.method != "POST" else body["metadata"]["name"]
    pool = body.get("spec", {}).get("pool")
    state = f" g{pool['generation']}/{pool['resourceSliceCount']}" if pool else ""
    return f"{request.method} {name.removeprefix(PREFIX)}{state}"
