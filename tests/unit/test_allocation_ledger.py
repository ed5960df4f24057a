"""The ledger: what was handed out, until it is certain that it came back."""

from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from furiosa_npu.allocation.ledger import (
    NEVER_SHOWN_SECONDS,
    Entry,
    Holding,
    Ledger,
    Observation,
    hand_out,
    renew,
    settle,
)

A, F = "alpha.furiosa.ai/npu", "furiosa.ai/npu"
OURS = frozenset({A, F})
NONE: frozenset[Holding] = frozenset()


def _seen(at: float, listed: Any = NONE, recorded: Any = NONE) -> Observation:
    return Observation(at, listed, recorded, recorded_is_current=True)


def test_an_entry_that_was_shown_ends_when_nothing_shows_it() -> None:
    """The pod ended."""
    ledger = hand_out(Ledger(), A, ("u",), 0.0)
    ledger = settle(ledger, _seen(1.0, listed=frozenset({Holding(A, "u")})), OURS)
    assert settle(ledger, _seen(2.0), OURS) == Ledger()


def test_an_init_containers_card_is_held_while_the_checkpoint_shows_it() -> None:
    """Pod-resources never lists it."""
    ledger = hand_out(Ledger(), A, ("u",), 0.0)
    for at in (1.0, 2.0, 100.0):
        ledger = settle(ledger, _seen(at, recorded=frozenset({Holding(A, "u")})), OURS)
        assert ledger.holders("u") == (A,)
    assert settle(ledger, _seen(101.0), OURS) == Ledger()


def test_an_entry_never_shown_waits_its_time() -> None:
    """Between the answer and the kubelet's books there is a gap; an Allocate that led nowhere is forgotten after it."""
    ledger = hand_out(Ledger(), A, ("u",), 5.0)
    assert settle(ledger, _seen(5.0 + NEVER_SHOWN_SECONDS - 0.1), OURS) == ledger
    assert settle(ledger, _seen(5.0 + NEVER_SHOWN_SECONDS), OURS) == Ledger()


def test_what_was_asked_before_the_allocate_proves_nothing_about_it() -> None:
    """The observation began earlier: what it shows is the last pod's, and its end must not end the next pod's entry."""
    shown = Ledger(((Holding(A, "u"), Entry(0.0, shown=True)),))
    again = hand_out(shown, A, ("u",), 3.0)
    assert settle(again, _seen(2.9, listed=frozenset({Holding(A, "u")})), OURS) == again


def test_what_cannot_be_observed_ends_nothing() -> None:
    """No answer from pod-resources, no checkpoint, or one from before the list was sent again."""
    ledger = Ledger(((Holding(A, "u"), Entry(0.0, shown=True)),))
    for seen in (
        Observation(50.0, None, NONE, recorded_is_current=True),
        Observation(50.0, NONE, None, recorded_is_current=True),
        Observation(50.0, NONE, NONE, recorded_is_current=False),
    ):
        assert settle(ledger, seen, OURS) == ledger


def test_after_a_restart_what_the_kubelet_shows_is_adopted() -> None:
    """Of our names alone."""
    seen = _seen(1.0, listed=frozenset({Holding(A, "u"), Holding("cpu", "7")}), recorded=frozenset({Holding(F, "v")}))
    assert settle(Ledger(), seen, OURS) == Ledger(
        ((Holding(A, "u"), Entry(1.0, shown=True)), (Holding(F, "v"), Entry(1.0, shown=True)))
    )


def test_a_container_that_starts_holds_what_was_dropped_since_its_allocate() -> None:
    """For as long as an Allocate that the kubelet shows nothing of."""
    shown = settle(hand_out(Ledger(), A, ("u",), 0.0), _seen(1.0, listed=frozenset({Holding(A, "u")})), OURS)
    dropped = settle(shown, _seen(2.0), OURS)
    started = renew(dropped, A, ("u",), 3.0)
    assert (dropped, started) == (Ledger(), Ledger(((Holding(A, "u"), Entry(3.0, shown=False)),)))
    assert settle(started, _seen(3.0 + NEVER_SHOWN_SECONDS - 0.1), OURS) == started
    assert settle(started, _seen(3.0 + NEVER_SHOWN_SECONDS), OURS) == Ledger()


def test_a_container_that_starts_anew_keeps_its_card_no_longer_than_its_pod_lives() -> None:
    """What was observed before the start ends nothing; what is observed after it frees the card at once."""
    shown = Ledger(((Holding(A, "u"), Entry(0.0, shown=True)), (Holding(A, "v"), Entry(0.0, shown=True))))
    started = renew(shown, A, ("u",), 3.0)
    assert started == Ledger(((Holding(A, "u"), Entry(3.0, shown=True)), (Holding(A, "v"), Entry(0.0, shown=True))))
    assert settle(started, _seen(2.9), OURS).holders("u") == (A,)
    assert settle(started, _seen(3.1), OURS) == Ledger()


class Pod(NamedTuple):
    """A container that was given a card; `booked` once the kubelet's books show it."""

    holding: Holding
    kind: str
    booked: bool


class Kubelet(RuleBasedStateMachine):
    """Random pods under both names on two cards, with looks that come late, fail, or start before an Allocate."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ledger = Ledger()
        self.pods: list[Pod] = []
        self.looking: Observation | None = None

    @rule(seconds=st.floats(0.1, NEVER_SHOWN_SECONDS))
    def time_passes_and_the_kubelet_writes_its_books(self, seconds: float) -> None:
        self.now += seconds
        self.pods = [pod._replace(booked=True) for pod in self.pods]

    @rule(name=st.sampled_from([A, F]), unit=st.sampled_from(["u", "u", "v"]), kind=st.sampled_from(["app", "init"]))
    def a_pod_comes(self, name: str, unit: str, kind: str) -> None:
        holding = Holding(name, unit)
        believed_taken = any(pod.holding == holding for pod in self.pods)
        refused = any(holder != name for holder in self.ledger.holders(unit))
        if not believed_taken and not refused:
            self.now += 0.001
            self.ledger = hand_out(self.ledger, name, (unit,), self.now)
            self.pods.append(Pod(holding, kind, booked=False))

    @precondition(lambda self: self.pods)
    @rule(data=st.data())
    def a_container_starts(self, data: st.DataObject) -> None:
        self.now += 0.001
        holding = data.draw(st.sampled_from(self.pods)).holding
        self.ledger = renew(self.ledger, holding.resource, (holding.unit,), self.now)

    @precondition(lambda self: self.pods)
    @rule(data=st.data())
    def a_pod_ends(self, data: st.DataObject) -> None:
        self.pods.remove(data.draw(st.sampled_from(self.pods)))

    @rule(answered=st.sampled_from([True, True, False]), current=st.sampled_from([True, True, False]))
    def a_look_begins(self, answered: bool, current: bool) -> None:
        self.now += 0.001
        booked = [pod for pod in self.pods if pod.booked]
        listed = frozenset(pod.holding for pod in booked if pod.kind == "app") if answered else None
        recorded = frozenset(pod.holding for pod in booked)
        self.looking = Observation(self.now, listed, recorded, current and answered)

    @precondition(lambda self: self.looking is not None)
    @rule()
    def a_look_ends(self) -> None:
        assert self.looking is not None
        self.ledger = settle(self.ledger, self.looking, OURS)
        self.looking = None

    @precondition(lambda self: all(pod.booked for pod in self.pods))
    @rule()
    def the_agent_restarts(self) -> None:
        self.ledger = Ledger()
        self.a_look_begins(answered=True, current=False)
        self.a_look_ends()

    @invariant()
    def no_card_is_in_two_containers(self) -> None:
        units = [pod.holding.unit for pod in self.pods]
        assert len(units) == len(set(units)), self.pods

    @invariant()
    def nothing_that_is_held_is_forgotten(self) -> None:
        assert {pod.holding for pod in self.pods} <= {holding for holding, _ in self.ledger.entries}

    def teardown(self) -> None:
        """When all pods have ended, looks that succeed free everything."""
        self.pods.clear()
        for _ in range(2):
            self.now += NEVER_SHOWN_SECONDS
            self.a_look_begins(answered=True, current=True)
            self.a_look_ends()
        assert self.ledger == Ledger()


TestKubelet = Kubelet.TestCase
TestKubelet.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
