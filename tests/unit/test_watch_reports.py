"""What people are told of the cards: events as cards change, and the node's condition, as whole values."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.settings import Program
from furiosa_npu.cluster.condition import Condition, patch_node_condition
from furiosa_npu.cluster.events import Event
from furiosa_npu.cluster.objects import the_node, the_pod
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.health.signs import NAMES
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.reports import CardReport, Told, condition, final_condition, news

NODE = the_node("n1")
IDLE = CardReport("U0", "npu0", "warboy", "idle", "", "", (), ())
OTHER = IDLE._replace(uuid="U1", name="npu1")
DEAD = IDLE._replace(state="failed", sign="not-alive", reason="not alive: the driver says so")
HANGS = IDLE._replace(state="unreadable", sign="no-answer", reason="no answer from alive in 2 s: the driver hangs")
PROVING = IDLE._replace(state="probation", sign="probation", reason="good again: offered when it has been for 1 s")
TAKEN = IDLE._replace(state="occupied", sign="in-use", reason="in use by process 4711 (python3)")
UNDECIDED = IDLE._replace(state="starting", sign="second-reading", reason="a second reading decides")
HALF = IDLE._replace(state="starting", sign="missing", reason="no device files: the driver has not finished")
GONE = IDLE._replace(state="gone", sign="gone", reason="the driver shows nothing of it")
OFF = IDLE._replace(state="disabled", sign="disabled", reason="disabled by --disable")
PODS = (PodRef("team-a", "train-0", "main"), PodRef("team-a", "train-0", "side"), PodRef("team-b", "other", "main"))
HELD = IDLE._replace(state="allocated", holders=PODS)
HELD_DEAD = DEAD._replace(holders=PODS)
POD_A, POD_B = the_pod("team-a", "train-0"), the_pod("team-b", "other")


def events(*history: Sequence[CardReport]) -> list[list[Event]]:
    """What was said at each of these looks, from the agent's start on."""
    told: dict[str, Told] | None = None
    said = []
    for reports in history:
        told, found = news(told, reports, "n1")
        said.append(list(found))
    return said


def warning(reason: str, text: str) -> Event:
    return Event(NODE, "Warning", reason, f"npu0 (U0) {text}")


def normal(reason: str, text: str) -> Event:
    return Event(NODE, "Normal", reason, f"npu0 (U0) {text}")


FAILED = warning("NPUFailed", "has failed: not alive: the driver says so")
WELL = normal("NPUHealthy", "is good now")


def test_good_cards_at_the_start_are_no_news_bad_ones_are() -> None:
    """Whatever their other state: unused, held, configured away."""
    assert events([IDLE, OTHER._replace(state="allocated", holders=PODS)], [IDLE, OTHER]) == [[], []]
    assert events([OFF], [OFF]) == [[], []]
    assert events([DEAD, OTHER], [DEAD, OTHER]) == [[FAILED], []]


def test_a_card_goes_bad_and_comes_back_after_its_probation() -> None:
    """Said once each; the probation is the state's and the condition's to say."""
    assert events([IDLE], [DEAD], [DEAD], [PROVING], [IDLE], [IDLE]) == [[], [FAILED], [], [], [WELL], []]


def test_a_card_that_flaps_is_said_to_fail_each_time_and_to_be_good_once() -> None:
    """The same event, which is gathered when it is written."""
    assert events([IDLE], [DEAD], [PROVING], [DEAD], [PROVING], [IDLE]) == [[], [FAILED], [], [FAILED], [], [WELL]]


def test_another_sign_is_news_another_wording_is_not() -> None:
    """A malformed file after another would be an event each second."""
    reworded = DEAD._replace(reason="not alive: state 3")
    hangs = warning("NPUUnreadable", "is unreadable: no answer from alive in 2 s: the driver hangs")
    assert events([IDLE], [DEAD], [reworded], [HANGS]) == [[], [FAILED], [], [hangs]]


def test_what_was_bad_is_said_to_be_good_whatever_lay_between() -> None:
    """In use by a stranger, disabled and enabled again."""
    taken = warning("NPUOccupied", "is occupied: in use by process 4711 (python3)")
    assert events([DEAD], [TAKEN], [IDLE]) == [[FAILED], [taken], [WELL]]
    assert events([DEAD], [OFF], [IDLE]) == [[FAILED], [], [WELL]]


def test_a_stranger_is_said_once_and_not_again_when_its_names_change() -> None:
    """A process that forks is no further stranger."""
    more = TAKEN._replace(reason="in use by process 4711 (python3), process 4712 (python3)")
    taken = warning("NPUOccupied", "is occupied: in use by process 4711 (python3)")
    assert events([IDLE], [TAKEN], [more], [IDLE]) == [[], [taken], [], []]


def test_a_second_reading_is_no_news_and_ends_none() -> None:
    """A Warboy that waits for it: what was said before stands."""
    assert events([UNDECIDED], [IDLE], [UNDECIDED], [IDLE]) == [[], [], [], []]
    assert events([TAKEN], [UNDECIDED], [TAKEN])[1:] == [[], []]


def test_cards_that_come_and_go_are_said() -> None:
    """A card that is added while the agent runs; one whose driver loads is not bad for that."""
    appeared = normal("NPUAppeared", "appeared: idle")
    assert events([OTHER], [OTHER, IDLE]) == [[], [appeared]]
    half = normal("NPUAppeared", "appeared: starting: no device files: the driver has not finished")
    assert events([OTHER], [OTHER, HALF], [OTHER, IDLE]) == [[], [half], [WELL]]
    gone = warning("NPUGone", "is gone: the driver shows nothing of it")
    again = normal("NPUAppeared", f"appeared: probation: {PROVING.reason}")
    assert events([IDLE], [GONE], [GONE], [PROVING], [IDLE]) == [[], [gone], [], [again], [WELL]]


def test_a_card_that_was_slow_to_answer_at_the_start_has_not_appeared() -> None:
    """It was there; that it hangs is news, and that it does no more, though it had but its number until then."""
    key = frozenset({"warboy npu0"})
    told, said = news({}, [], "n1", key)
    assert news(told, [IDLE], "n1", key) == ({"U0": Told(IDLE, bad=False, pods=())}, ())
    nameless = HANGS._replace(uuid="npu0")
    told, said = news(told, [nameless], "n1", key)
    words = "npu0 (npu0) is unreadable: no answer from alive in 2 s: the driver hangs"
    assert said == (Event(NODE, "Warning", "NPUUnreadable", words),)
    assert news(told, [IDLE], "n1", key) == ({"U0": Told(IDLE, bad=False, pods=())}, (WELL,))


def test_a_card_that_another_replaced_is_gone() -> None:
    """It is reported no more; the new one appears."""
    new = Event(NODE, "Normal", "NPUAppeared", "npu0 (U9) appeared: idle")
    gone = warning("NPUGone", "is gone: it is not there any more")
    assert events([HELD], [IDLE._replace(uuid="U9")]) == [
        [],
        [
            new,
            gone,
            Event(POD_A, "Warning", "NPUGone", "npu0 (U0), which this pod holds, is gone: it is not there any more"),
            Event(POD_B, "Warning", "NPUGone", "npu0 (U0), which this pod holds, is gone: it is not there any more"),
        ],
    ]
    assert events([GONE, OTHER], [OTHER])[1] == []


def test_a_driver_that_is_unloaded_under_a_card_is_bad_news() -> None:
    """It was good, and now it is half there."""
    half = warning("NPUStarting", "is starting: no device files: the driver has not finished")
    assert events([IDLE], [HALF], [IDLE]) == [[], [half], [WELL]]


def test_the_pods_that_hold_a_failing_card_are_told_and_told_when_it_is_well() -> None:
    """A pod once, however many of its containers hold it."""
    text = "npu0 (U0), which this pod holds, has failed: not alive: the driver says so"
    well = "npu0 (U0), which this pod holds, is good now"
    assert events([HELD], [HELD_DEAD], [HELD_DEAD], [HELD]) == [
        [],
        [FAILED, Event(POD_A, "Warning", "NPUFailed", text), Event(POD_B, "Warning", "NPUFailed", text)],
        [],
        [WELL, Event(POD_A, "Normal", "NPUHealthy", well), Event(POD_B, "Normal", "NPUHealthy", well)],
    ]


def test_a_pod_that_comes_to_be_known_later_is_told_then_and_one_that_left_no_more() -> None:
    """The kubelet's books follow the cards."""
    text = "npu0 (U0), which this pod holds, has failed: not alive: the driver says so"
    first, second = DEAD._replace(holders=PODS[:1]), DEAD._replace(holders=PODS[2:])
    assert events([DEAD], [first], [second], [IDLE])[1:] == [
        [Event(POD_A, "Warning", "NPUFailed", text)],
        [Event(POD_B, "Warning", "NPUFailed", text)],
        [WELL],
    ]


def test_a_warning_sign_is_said_when_it_begins() -> None:
    """At the start too; each sign by itself, and not again for another wording."""
    link = ("pcie-link", "the PCIe link is x4 wide, expected x8")
    slow = ("throttling", "the card is slowed down: thermal slowdown")
    slower = ("throttling", "the card is slowed down: thermal slowdown, other")
    assert events(*([IDLE._replace(warnings=told)] for told in ((link,), (link, slow), (link, slower), ()))) == [
        [warning("NPUPcieLink", "warning: the PCIe link is x4 wide, expected x8")],
        [warning("NPUThrottling", "warning: the card is slowed down: thermal slowdown")],
        [],
        [],
    ]


@given(st.lists(st.lists(st.sampled_from([IDLE, HELD, DEAD, HELD_DEAD, PROVING, TAKEN, UNDECIDED, HALF, GONE, OFF]))))
def test_nothing_is_said_while_nothing_changes(history: list[list[CardReport]]) -> None:
    """Each look twice: the second says nothing, whatever was before."""
    doubled = [look[:1] for look in history for _ in range(2)]
    assert all(not said for said in events(*doubled)[1::2])


@pytest.mark.parametrize(
    ("reports", "status", "reason", "message"),
    [
        ([IDLE], "True", "AllNPUsHealthy", "1 NPU, none unhealthy"),
        ([HELD, OTHER], "True", "AllNPUsHealthy", "2 NPUs, none unhealthy"),
        ([UNDECIDED, OTHER], "True", "AllNPUsHealthy", "2 NPUs, none unhealthy"),
        (
            [TAKEN, OTHER._replace(state="disabled")],
            "True",
            "AllNPUsHealthy",
            "2 NPUs, none unhealthy, 1 occupied (npu0), 1 disabled (npu1)",
        ),
        (
            [DEAD, OTHER],
            "False",
            "NotAlive",
            "1 of 2 NPUs not healthy: npu0 (U0) failed: not alive: the driver says so",
        ),
        ([PROVING], "False", "Probation", f"1 of 1 NPU not healthy: npu0 (U0) probation: {PROVING.reason}"),
        (
            [HANGS, DEAD._replace(uuid="U1", name="npu1")],
            "False",
            "NotAlive",
            (
                "2 of 2 NPUs not healthy: npu1 (U1) failed: not alive: the driver says so; npu0 (U0) unreadable: "
                "no answer from alive in 2 s: the driver hangs"
            ),
        ),
        ([GONE, HALF._replace(uuid="U1")], "False", "Gone", None),
        ([], "Unknown", "NoNPUs", "no NPU is seen on this node: is the driver loaded?"),
    ],
)
def test_the_condition_says_the_worst_sign_and_every_card(
    reports: list[CardReport], status: str, reason: str, message: str | None
) -> None:
    """One that is disabled, or in use by a stranger, is not unhealthy."""
    said = condition(reports)
    assert (said.type, said.status, said.reason) == ("FuriosaNPUHealthy", status, reason)
    if message is not None:
        assert said.message == message


def test_the_condition_names_every_card_of_a_node_of_eight() -> None:
    """docs/why-pending.md: every card that is not healthy, by name, UUID and cause."""
    reports = [
        CardReport(
            f"A76AAD68-6855-40B1-9E86-D080852D1C8{number}",
            f"npu{number}",
            "warboy",
            "starting",
            "missing",
            "no management folder: the driver has not finished, or the card dropped off the bus",
            (),
            (),
        )
        for number in range(8)
    ]
    body = json.loads(patch_node_condition("n1", condition(reports), 0.0, 0.0).body or "")
    message = body["status"]["conditions"][0]["message"]
    assert [report.name for report in reports if f"{report} starting: {report.reason}" not in message] == []


def test_a_hand_over_does_not_move_the_condition() -> None:
    """Nothing is written to the API server when pods come and go."""
    assert condition([IDLE, OTHER]) == condition([HELD, OTHER])


@given(st.permutations([DEAD, HANGS._replace(uuid="U1"), GONE._replace(uuid="U2"), HALF._replace(uuid="U3")]))
def test_the_order_of_the_reports_does_not_move_the_condition(reports: list[CardReport]) -> None:
    """Sorted by state and sign."""
    assert condition(reports) == condition(sorted(reports))


@pytest.mark.parametrize("sign", NAMES)
def test_each_sign_is_one_word_in_camel_case(sign: str) -> None:
    """As Kubernetes' own reasons are."""
    reason = condition([DEAD._replace(sign=sign)]).reason
    assert reason.isalpha()
    assert reason[0].isupper()


@pytest.mark.parametrize(("agent", "reason"), [(PLUGIN, "PluginStopped"), (DRA_DRIVER, "DriverStopped")])
def test_the_last_word_is_that_nobody_looks(agent: Program, reason: str) -> None:
    """Left behind at SIGTERM, by the name of the agent that was stopped."""
    text = f"{agent.name} was stopped: nobody looks at the NPUs"
    assert final_condition(agent.name) == Condition("FuriosaNPUHealthy", "Unknown", reason, text)
