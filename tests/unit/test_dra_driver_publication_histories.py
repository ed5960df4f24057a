"""A node's slices through thousands of histories: cards that come, go and fail, and an API server that does too."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from furiosa_npu.cluster.api import Answer
from furiosa_npu.dra_driver.gates import Gates
from furiosa_npu.dra_driver.publication import RECHECK_SECONDS, Publication
from tests.unit.slices_desk import AWAY, DRIVER, NODE, Desk, card, visible, wanted
from tests.unit.slices_server import SlicesServer

REFUSED = Answer(403, {"message": "no"}, None)
VARIANTS = st.sampled_from(["good", "dead", "used", "held", "none"])
FAMILIES = (*("warboy",) * 5, *("renegade",) * 5)
"""two slices of counters, two of devices"""


class Node(RuleBasedStateMachine):
    """What is really so stands in the fields; the server says what a consumer could have seen and never may."""

    @initialize(counters=st.booleans(), taints=st.booleans(), first=st.lists(VARIANTS, min_size=10, max_size=10))
    def begins(self, counters: bool, taints: bool, first: list[str]) -> None:
        self.desk = Desk(SlicesServer(NODE, counters=counters, taints=taints))
        self.variants = first
        self.offer()

    @property
    def server(self) -> SlicesServer:
        return self.desk.server

    def offer(self) -> None:
        self.cards = tuple(
            card(number, variant, FAMILIES[number], self.desk.now)
            for number, variant in enumerate(self.variants)
            if variant != "none"
        )
        self.desk.offer(*self.cards)

    @rule(number=st.integers(0, 9), variant=VARIANTS)
    def a_card_changes(self, number: int, variant: str) -> None:
        self.variants[number] = variant
        self.offer()

    @rule(variant=st.sampled_from(["none", "good"]))
    def all_cards_change(self, variant: str) -> None:
        """The driver is unloaded, or loaded."""
        self.variants = [variant] * len(self.variants)
        self.offer()

    @rule()
    def a_round_goes_well(self) -> None:
        if self.desk.publication.due_at() is not None:
            self.desk.exchange()

    @rule(answer=st.sampled_from([AWAY, REFUSED]), heard=st.integers(0, 3), done=st.integers(0, 6))
    def a_round_breaks_off(self, answer: Answer, heard: int, done: int) -> None:
        """Of its requests `done` more were done than were heard of; what is refused is not done."""
        if self.desk.publication.due_at() is None:
            return
        requests = self.desk.take()
        answers = [self.server.ask(request) for request in requests[:heard]]
        if answer is AWAY:
            for request in requests[heard : heard + done]:
                self.server.ask(request)
        answers += [answer] * (len(requests) - len(answers))
        if requests:
            self.desk.notices += self.desk.publication.answered(answers, self.desk.now, 0.5)

    @rule()
    def a_kubelet_starts(self) -> None:
        self.server.lose(*self.server.slices)
        self.desk.publication.doubt(self.desk.now)

    @precondition(lambda self: self.server.slices)
    @rule(data=st.data(), deletes=st.booleans())
    def somebody_else_writes_or_deletes_a_slice(self, data: st.DataObject, deletes: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.server.slices)))
        if deletes:
            self.server.lose(name)
        else:
            self.server.touch(name)

    @rule()
    def the_agent_starts_anew(self) -> None:
        self.desk.publication = Publication(DRIVER, NODE)
        self.offer()

    @rule()
    def the_node_is_made_anew(self) -> None:
        self.server.node_uid += "+"

    @rule()
    def garbage_is_collected(self) -> None:
        """Slices whose node, by its UID, is not there any more."""
        owners = {name: found["metadata"]["ownerReferences"][0]["uid"] for name, found in self.server.slices.items()}
        self.server.lose(*(name for name, uid in owners.items() if uid != self.server.node_uid))

    @rule()
    def the_api_server_is_upgraded(self) -> None:
        """Away for a moment, which is seen, and with open gates."""
        self.server.counters = self.server.taints = True
        self.desk.publication.doubt(self.desk.now)
        self.a_round_breaks_off(AWAY, 0, 0)

    @rule()
    def all_settles(self) -> None:
        """When it goes well at last, exactly what is wanted stands there, and nothing more is written."""
        self.desk.settle()
        self.garbage_is_collected()
        self.desk.now += RECHECK_SECONDS + 200.0  # what was deleted is missed, a retry is due
        self.desk.settle()
        gates = Gates(self.server.counters, self.server.taints)
        assert visible(self.server) == wanted(self.cards, gates)
        assert self.desk.publication.unsettled() is None
        written = [*self.server.writes]
        self.desk.now += RECHECK_SECONDS
        self.desk.settle()
        assert self.server.writes == written
        names = {device["name"] for found in self.server.slices.values() for device in found["spec"].get("devices", ())}
        assert names == set(visible(self.server))
        owners = {found["metadata"]["ownerReferences"][0]["uid"] for found in self.server.slices.values()}
        assert owners <= {self.server.node_uid}

    @invariant()
    def nobody_could_see_what_never_may_be_seen(self) -> None:
        """A partition without its counters, a tainted card as a good one, a device twice, a slice that is refused."""
        assert self.server.fault is None, self.server.fault

    @invariant()
    def nobody_is_blamed_who_did_nothing(self) -> None:
        """What a closed gate took is no webhook's work."""
        assert not any("webhook" in notice.text for notice in self.desk.notices)

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.all_settles()


Node.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestNode = Node.TestCase
