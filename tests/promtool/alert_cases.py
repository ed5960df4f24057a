"""What makes each alert fire: series in promtool's notation, a sample a minute."""

from collections.abc import Mapping
from typing import NamedTuple

PLUGIN, LABELLER = 'job="furiosa-npu-plugin",node="n1"', 'job="furiosa-npu-labeller",node="n1"'
NPU0, NPU1 = ('uuid="U0",name="npu0"', 'uuid="U1",name="npu1"')
ALWAYS = "+0x150"
"""after a number: so it stays, for two hours and a half"""


def state(card: str, state: str, reason: str = "") -> str:
    return f'furiosa_npu_state{{{PLUGIN},{card},family="warboy",state="{state}",reason="{reason}"}}'


def of_plugin(metric: str, labels: str = "") -> str:
    return f"furiosa_npu_{metric}{{{','.join(filter(None, (PLUGIN, labels)))}}}"


def of_labeller(metric: str, labels: str = "") -> str:
    return f"furiosa_npu_labeller_{metric}{{{','.join(filter(None, (LABELLER, labels)))}}}"


UP, LABELLER_UP = f"up{{{PLUGIN}}}", f"up{{{LABELLER}}}"
IDLE, HELD = state(NPU0, "idle"), state(NPU1, "allocated")
HOLDER = of_plugin("allocation_info", 'uuid="U1",namespace="team",pod="p",container="c",resource="furiosa.ai/npu"')
WARM = of_plugin("temperature_celsius", f'{NPU0},sensor="PEAK"')
CARDS = of_labeller("cards", 'family="warboy",hwtype=""')
FAULTS = of_plugin("state_transitions_total", 'uuid="U0",state="failed"')
REFUSALS = of_plugin("answers_total", 'call="Allocate",resource="furiosa.ai/npu",outcome="refused"')
REFUSED_CLAIMS = of_plugin("claim_answers_total", 'call="NodePrepareResources",outcome="refused"')
PEACE: Mapping[str, str] = {
    UP: "1",
    LABELLER_UP: "1",
    IDLE: "1",
    HELD: "1",
    HOLDER: "1",
    WARM: "60",
    of_plugin("state_transitions_total", 'uuid="U1",state="allocated"'): "7",
    of_plugin("answers_total", 'call="Allocate",resource="furiosa.ai/npu",outcome="answered"'): "7",
    FAULTS: "0",
    REFUSALS: "0",
    REFUSED_CLAIMS: "0",
    of_plugin("stuck_readers"): "0",
    of_plugin("last_scan_age_seconds"): "0.5",
    of_plugin("api_writes_failing"): "0",
    CARDS: "2",
    of_labeller("labels_as_wanted"): "1",
    of_labeller("last_scan_failed"): "0",
}
"""One node with an NPU that is free and one that a pod holds."""


class Case(NamedTuple):
    """From the first minute on."""

    alert: str
    minutes: int
    """after which it fires, and not sooner"""
    changed: Mapping[str, str | None]
    """what is otherwise than in peace; None: the series is not there"""
    labels: Mapping[str, str]
    """beside the severity"""


OF_NODE = {"node": "n1"}
OF_PLUGIN = {**OF_NODE, "job": "furiosa-npu-plugin"}
OF_NPU0 = {**OF_NODE, "name": "npu0", "uuid": "U0"}


def became(told: str, reason: str = "") -> dict[str, str | None]:
    """npu0, which was idle."""
    return {IDLE: None, state(NPU0, told, reason): "1"}


def part(uuid: str) -> str:
    """A series of the DRA driver about a part of a card, which is not counted beside the card."""
    return state(f'uuid="{uuid}-pe0",name="npu0"', "failed", "not-alive")


CASES = (
    Case(
        "FuriosaNPUFailed",
        1,
        {**became("failed", "not-alive"), part("U0"): "1"},
        {**OF_NPU0, "reason": "not-alive"},
    ),
    Case("FuriosaNPUUnreadable", 2, became("unreadable", "no-answer"), {**OF_NPU0, "reason": "no-answer"}),
    Case("FuriosaNPUGone", 5, became("gone", "gone"), OF_NPU0),
    Case("FuriosaNPUHalfThere", 5, became("starting", "missing"), OF_NPU0),
    Case(
        "FuriosaNPUHeldWhileBad",
        2,
        {HELD: None, state(NPU1, "gone", "gone"): "1"},
        {**OF_NODE, "uuid": "U1", "namespace": "team", "pod": "p"},
    ),
    Case("FuriosaNPUOnProbation", 3, became("probation", "probation"), OF_NPU0),
    Case("FuriosaNPUFlapping", 34, {FAULTS: "0x10 1x10 2x10 3x10"}, {**OF_NODE, "uuid": "U0"}),
    Case("FuriosaNPUUsedByStranger", 15, became("occupied", "in-use"), OF_NPU0),
    Case(
        "FuriosaNPUSlow",
        30,
        {of_plugin("warning", f'{NPU0},reason="pcie-link"'): "1"},
        {**OF_NPU0, "reason": "pcie-link"},
    ),
    Case("FuriosaNPUHot", 5, {WARM: "91"}, OF_NPU0),
    Case("FuriosaNPUNoneFree", 60, {IDLE: None, state(NPU0, "disabled"): "1"}, {"family": "warboy"}),
    Case("FuriosaNPUAgentDown", 5, {UP: "0"}, OF_PLUGIN),
    Case("FuriosaNPUNothingHandsOut", 10, {UP: None}, OF_NODE),
    Case("FuriosaNPUNoLabeller", 10, {LABELLER_UP: None}, OF_NODE),
    Case("FuriosaNPUNothingScraped", 10, dict.fromkeys(PEACE), {}),
    Case(
        "FuriosaNPUNotRegistered",
        3,
        {of_plugin("trouble", 'part="furiosa.ai/npu"'): "1"},
        {**OF_PLUGIN, "part": "furiosa.ai/npu"},
    ),
    Case(
        "FuriosaNPUAgentInTrouble",
        5,
        {of_plugin("trouble", 'part="plane"'): "1"},
        {**OF_PLUGIN, "part": "plane"},
    ),
    Case("FuriosaNPURefusedOften", 8, {REFUSALS: "0x1 1x2 2x1 3x10"}, {**OF_NODE, "call": "Allocate"}),
    Case("FuriosaNPURefusedOften", 2, {REFUSALS: "0 3x10"}, {**OF_NODE, "call": "Allocate"}),
    Case(
        "FuriosaNPURefusedOften",
        4,
        {REFUSED_CLAIMS: "0 1 2 3x10"},
        {**OF_NODE, "call": "NodePrepareResources"},
    ),
    Case("FuriosaNPUNotLookedAt", 2, {of_plugin("last_scan_age_seconds"): "61"}, OF_PLUGIN),
    Case("FuriosaNPUDriverHangs", 10, {of_plugin("stuck_readers"): "1"}, OF_PLUGIN),
    Case("FuriosaNPUApiWritesFailing", 10, {of_plugin("api_writes_failing"): "1"}, OF_PLUGIN),
    Case("FuriosaNPULabelsNotAsWanted", 10, {of_labeller("labels_as_wanted"): "0"}, OF_NODE),
    Case("FuriosaNPULabellerCannotLook", 10, {of_labeller("last_scan_failed"): "1"}, OF_NODE),
)
