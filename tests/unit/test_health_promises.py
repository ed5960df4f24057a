"""The state machine against the promises: random histories of one card, its pod, its driver and its settings."""

from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from furiosa_npu.hardware.reading import PerfRegs, Problem, Reading, Sensor
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.probation import Trust
from furiosa_npu.health.recall import from_document, to_document
from furiosa_npu.health.verdict import Verdict
from tests.unit.readings import renegade, warboy

TRUST = Trust(first_seconds=1, longest_seconds=8, quiet_seconds=60)
RULES = Rules(trust=TRUST)
BAD_STATES = ("failed", "unreadable", "starting", "gone")
FAULTS = ("not-alive", "malformed", "no-answer", "half", "hot", "gone")
"""What lasts until the card is well again; errors that are counted and a heartbeat come and go by themselves."""
GROWTH_SECONDS = 1.5
STANDSTILL_SECONDS = 30.0
KEPT_SECONDS = 10.0
"""A standstill of the heartbeat that lasts for so long is known to the next agent."""
STILL_SECONDS = {True: 1.5, False: 0.1}
"""How long a cycle counter stands still until its PE is at rest, by whether its file's mode lets everyone read it."""


class Card(RuleBasedStateMachine):
    """What is really so, and what an onlooker saw of it, stands in the fields; `verdict` is what the agent holds."""

    WELL = renegade()

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.heartbeat = 10
        self.beats = True
        self.errors = 0
        self.faults: set[str] = set()
        self.occupied = False
        self.circumstances = Circumstances()
        self.verdict: Verdict | None = None
        self.bad = False
        self.good_before = False
        self.good_since: float | None = None
        self.flaps: list[float] = []
        """of each time that it went bad since the last quiet hour, when it was good again"""
        self.moved = False
        """the heartbeat was seen to move in this boot"""
        self.forget()

    def forget(self) -> None:
        """An onlooker that is new has seen nothing."""
        self.answered: Reading | None = None
        self.beat_seen: tuple[int, float] | None = None
        """heartbeat, and when that was first seen"""
        self.errors_seen: int | None = None
        self.grew_at: float | None = None

    @initialize(fault=st.sampled_from(["", *FAULTS]))
    def first_sight(self, fault: str) -> None:
        self.faults = {fault} - {""}
        self.look()

    def reading(self) -> Reading | None:
        if "gone" in self.faults:
            self.answered = None
            return None
        if "no-answer" in self.faults:
            last = self.answered or self.WELL._replace(management=False)
            return last._replace(unanswered="/sys/x")
        self.answered = card = self.signs_of_use(
            self.WELL._replace(
                alive="not-alive" not in self.faults,
                management="half" not in self.faults,
                heartbeat_seconds=self.heartbeat,
                error_counters=(("Device Error", self.errors), ("Doorbell done", self.heartbeat)),
                problems=(Problem("/sys/x", "'?'", "a number"),) if "malformed" in self.faults else (),
                sensors=(Sensor("temp", 1, "PEAK", 101000 if "hot" in self.faults else 40000, None),),
            )
        )
        return card

    def signs_of_use(self, card: Reading) -> Reading:
        return card._replace(pe_occupancy=(self.occupied,) * 8)

    def use(self) -> Literal["used", "unused", "undecided"]:
        """As far as an onlooker can tell."""
        return "used" if self.occupied else "unused"

    def notice(self, reading: Reading | None) -> bool:
        """What an onlooker sees; True: that is a fault."""
        if reading is None or not reading.management or reading.heartbeat_seconds is None:
            self.errors_seen = self.grew_at = None
            if reading is None or reading.unanswered is None:
                self.beat_seen = None
            return True
        beat, ((_, errors), _) = reading.heartbeat_seconds, reading.error_counters
        before = self.beat_seen
        if before is None or before[0] != beat:
            self.beat_seen = (beat, self.now)
            self.moved = self.moved or before is not None
        if self.errors_seen is not None and errors > self.errors_seen:
            self.grew_at = self.now
        self.errors_seen = errors
        return bool(
            self.faults
            or (before is not None and beat < before[0])
            or (self.moved and self.beat_seen is not None and self.now - self.beat_seen[1] >= STANDSTILL_SECONDS)
            or (self.grew_at is not None and self.now - self.grew_at < GROWTH_SECONDS)
        )

    def look(self) -> None:
        reading = self.reading()
        self.bad = self.notice(reading)
        self.verdict = judge(self.verdict, reading, self.circumstances, RULES, self.now)
        if self.bad:
            not_all_there = reading is None or ("half" in self.faults and "no-answer" not in self.faults)
            only_begins = not_all_there and not self.good_before and not self.flaps
            if (self.good_since is not None or not self.flaps) and not only_begins:
                self.recent_flaps()
                self.flaps.append(self.now)
            self.good_since = None
        else:
            self.good_before = True
            if self.good_since is None:
                self.good_since = self.now
                self.flaps[-1:] = [self.now] * len(self.flaps[-1:])

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 1.0, 1.4, 2.0, 10.0, 31.0, 70.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds
        self.heartbeat += self.beats
        self.look()

    @rule(fault=st.sampled_from(FAULTS))
    def goes_bad(self, fault: str) -> None:
        self.faults.add(fault)
        self.look()

    @rule()
    def is_well_again(self) -> None:
        self.faults.clear()
        self.beats = True
        self.look()

    @rule()
    def counts_errors(self) -> None:
        self.errors += 1
        self.look()

    @rule()
    def firmware_hangs(self) -> None:
        self.beats = False
        self.look()

    @rule()
    def is_reset(self) -> None:
        self.heartbeat = 0
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
        """What must not be forgotten is in the file: the rest is read anew."""
        assert self.verdict is not None
        stands_still = self.moved and self.beat_seen is not None and self.now - self.beat_seen[1] >= KEPT_SECONDS
        beat_seen = self.beat_seen if stands_still else None
        kept = from_document(to_document("boot", {"card": self.verdict}), "boot", self.now).verdicts.get("card")
        assert self.moved == (kept is not None and kept.history.heartbeat.moved)
        forgot_the_rest = kept is None or not kept.history.standing.flaps
        self.verdict = kept
        if forgot_the_rest:
            self.good_before, self.flaps = False, []
        self.forget()
        self.beat_seen = beat_seen
        self.look()

    @invariant()
    def only_good_idle_cards_are_idle(self) -> None:
        if self.verdict is not None and self.verdict.state == "idle":
            assert not self.bad
            assert self.use() == "unused"
            assert self.circumstances == Circumstances()

    @invariant()
    def bad_news_counts_at_once(self) -> None:
        if self.verdict is not None and self.bad and self.circumstances.disabled is None:
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
        held, use = self.circumstances.held, self.use()
        if use == "used" and not held:
            assert self.verdict.state == "occupied"
            return
        good_for = self.now - self.good_since
        trusted = "allocated" if held else "idle" if use == "unused" else "starting"
        flaps = self.recent_flaps()
        probation = min(2.0 ** (flaps - 1), TRUST.longest_seconds) if flaps else 0.0
        expected = trusted if good_for >= probation else "probation"
        assert self.verdict.state == expected, (self.verdict, good_for, probation, flaps)

    def recent_flaps(self) -> int:
        """Those since the last quiet hour (here: minute)."""
        if not self.flaps or self.now - self.flaps[-1] >= TRUST.quiet_seconds:
            self.flaps = []
        return len(self.flaps)


class Warboy(Card):
    """Its driver opens `perf_regs` while a PE is used, to all or to capable readers alone."""

    WELL = warboy()

    def __init__(self) -> None:
        self.cycles = 10
        self.opened: bool | None = None
        """None: `perf_regs` is closed; else whether its mode lets everyone read it"""
        super().__init__()

    def forget(self) -> None:
        super().forget()
        self.counter_seen: tuple[int, float, bool] | None = None
        """cycles, when they were first seen, and whether they have moved"""

    def signs_of_use(self, card: Reading) -> Reading:
        if self.opened is None:
            return card
        return card._replace(perf_regs=(PerfRegs("npu0pe0", 0, 0, self.opened, self.cycles, None, None),))

    def notice(self, reading: Reading | None) -> bool:
        before, self.counter_seen = self.counter_seen, None
        if reading is not None and reading.perf_regs:
            (regs,) = reading.perf_regs
            self.patience = STILL_SECONDS[regs.mode_allows_reading]
            if before is None:
                self.counter_seen = regs.cycles, self.now, False
            elif regs.cycles == before[0]:
                self.counter_seen = *before[:2], before[2] and self.now - before[1] < self.patience
            else:
                self.counter_seen = regs.cycles, self.now, regs.cycles > before[0] or regs.mode_allows_reading
        return super().notice(reading)

    def use(self) -> Literal["used", "unused", "undecided"]:
        if self.counter_seen is None or self.now - self.counter_seen[1] >= self.patience:
            return "unused"
        return "used" if self.counter_seen[2] else "undecided"

    @rule(seconds=st.sampled_from([0.08, 0.1, 1.0, 1.4]))
    def works(self, seconds: float) -> None:
        self.now += seconds
        self.heartbeat += self.beats
        self.cycles += self.occupied
        self.look()

    @rule(opened=st.sampled_from([None, True, False]))
    def is_opened_or_closed(self, opened: bool | None) -> None:
        self.opened = opened
        self.look()

    @rule()
    def counts_from_0_for_the_next_user(self) -> None:
        self.cycles = 0
        self.look()


Card.TestCase.settings = settings(max_examples=1000, stateful_step_count=30, deadline=None)
Warboy.TestCase.settings = settings(max_examples=1000, stateful_step_count=30, deadline=None)
TestCard = Card.TestCase
TestWarboy = Warboy.TestCase
