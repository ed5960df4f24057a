"""The state machine against the promises: random histories of one card, its pod, its driver and its settings."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from furiosa_npu.hardware.reading import Problem, Reading
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.probation import Trust
from furiosa_npu.health.recall import from_document, to_document
from furiosa_npu.health.verdict import Verdict
from tests.unit.readings import renegade

TRUST = Trust(first_seconds=1, longest_seconds=8, quiet_seconds=60)
RULES = Rules(trust=TRUST)
BAD_STATES = ("failed", "unreadable", "starting", "gone")


class Card(RuleBasedStateMachine):
    """What is really so stands in the fields; `verdict` is what the agent holds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.heartbeat = 10
        self.errors = 0
        self.faults: set[str] = set()
        self.occupied = False
        self.circumstances = Circumstances()
        self.verdict: Verdict | None = None
        self.good_before = False
        self.good_since: float | None = None
        self.flaps: list[float] = []
        self.moved_at = self.now

    @initialize(fault=st.sampled_from(["", "not-alive", "malformed", "no-answer", "half", "gone"]))
    def first_sight(self, fault: str) -> None:
        self.faults = {fault} - {""}
        self.look()

    def reading(self) -> Reading | None:
        if "gone" in self.faults:
            return None
        card = renegade()._replace(
            heartbeat_seconds=self.heartbeat,
            error_counters=(("Device Error", self.errors),),
            pe_occupancy=(self.occupied,) * 8,
        )
        if "not-alive" in self.faults:
            card = card._replace(alive=False)
        if "malformed" in self.faults:
            card = card._replace(problems=(Problem("/sys/x", "'?'", "a number"),))
        if "no-answer" in self.faults:
            card = card._replace(unanswered="/sys/x")
        if "half" in self.faults:
            card = card._replace(management=False)
        return card

    def look(self) -> None:
        self.verdict = judge(self.verdict, self.reading(), self.circumstances, RULES, self.now)
        if self.is_bad():
            not_all_there = "gone" in self.faults or ("half" in self.faults and "no-answer" not in self.faults)
            only_begins = not_all_there and not self.good_before and not self.flaps
            if (self.good_since is not None or not self.flaps) and not only_begins:
                self.recent_flaps()
                self.flaps.append(self.now)
            if self.flaps:
                self.flaps[-1] = self.now
            self.good_since = None
        else:
            self.good_before = True
            self.good_since = self.now if self.good_since is None else self.good_since

    def is_bad(self) -> bool:
        return bool(self.faults)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 1.0, 2.0, 10.0, 70.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds
        self.heartbeat += 1
        self.look()

    @rule(fault=st.sampled_from(["not-alive", "malformed", "no-answer", "half", "gone"]))
    def goes_bad(self, fault: str) -> None:
        self.faults.add(fault)
        self.look()

    @rule()
    def is_well_again(self) -> None:
        self.faults.clear()
        self.look()

    @rule(occupied=st.booleans())
    def is_used(self, occupied: bool) -> None:
        self.occupied = occupied
        self.look()

    @rule(held=st.booleans())
    def pod_comes_or_goes(self, held: bool) -> None:
        self.circumstances = self.circumstances._replace(held=held)
        self.look()

    @rule(disabled=st.booleans())
    def is_configured(self, disabled: bool) -> None:
        self.circumstances = self.circumstances._replace(disabled="for repair" if disabled else None)
        self.look()

    @rule()
    def agent_restarts(self) -> None:
        """What must not be forgotten is in the file; heartbeats and counters are read anew."""
        assert self.verdict is not None
        kept = from_document(to_document("boot", {"card": self.verdict}), "boot").get("card")
        forgot_the_rest = kept is None or not kept.history.standing.flaps
        self.verdict = kept
        if forgot_the_rest:
            self.good_before, self.flaps = False, []
        self.look()

    @invariant()
    def only_good_idle_cards_are_idle(self) -> None:
        if self.verdict is not None and self.verdict.state == "idle":
            assert not self.faults
            assert not self.occupied
            assert self.circumstances == Circumstances()

    @invariant()
    def bad_news_counts_at_once(self) -> None:
        if self.verdict is not None and self.faults and self.circumstances.disabled is None:
            assert self.verdict.state in BAD_STATES
            assert self.verdict.reason

    @invariant()
    def every_no_has_a_reason(self) -> None:
        if self.verdict is not None and self.verdict.state not in ("idle", "allocated"):
            assert self.verdict.reason
            assert self.verdict.sign

    @invariant()
    def a_good_card_is_offered_after_its_probation_and_not_before(self) -> None:
        if self.verdict is None or self.good_since is None or self.circumstances.disabled is not None:
            return
        if self.occupied and not self.circumstances.held:
            assert self.verdict.state == "occupied"
            return
        good_for = self.now - self.good_since
        offered = self.verdict.state == ("allocated" if self.circumstances.held else "idle")
        flaps = self.recent_flaps()
        probation = min(2.0 ** (flaps - 1), TRUST.longest_seconds) if flaps else 0.0
        assert offered == (good_for >= probation), (self.verdict, good_for, probation, flaps)

    def recent_flaps(self) -> int:
        """Those since the last quiet hour (here: minute)."""
        if not self.flaps or self.now - self.flaps[-1] >= TRUST.quiet_seconds:
            self.flaps = []
        return len(self.flaps)


Card.TestCase.settings = settings(max_examples=2000, stateful_step_count=30, deadline=None)
TestCard = Card.TestCase
