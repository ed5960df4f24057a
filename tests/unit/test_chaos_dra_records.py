"""What the observer makes of ResourceSlices, CDI files and device cgroups, what chaos changes, its pods."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.simulator.nodes import Device
from furiosa_npu.simulator.scenario import parse_scenario
from furiosa_npu.simulator.state import CardState, State
from furiosa_npu.simulator.warboy import render
from tests.cluster.chaos import overlay
from tests.cluster.chaos.dra_plan import APART_SECONDS, SHARED, TEMPLATES, claim_plan
from tests.cluster.chaos.dra_records import NOTHING, card_of, offered, pe_name, pes_given, pes_opened
from tests.cluster.chaos.load import body_of
from tests.cluster.chaos.plan import PodStep, Site
from tests.cluster.chaos.records import pod_seen
from tests.cluster.dra import DAEMON_SET, driver_objects

CARDS = parse_scenario("cards: [{family: warboy}, {family: warboy}]", "scenario")
STATE = State(tuple(map(CardState, CARDS)), plain_files=False, majors={"warboy": (510,), "renegade": (236, 235)})
X, Y = (card.uuid for card in CARDS)
SITE = Site(("node01", "node02"), ("npu0", "npu1", "npu2"))


@pytest.mark.parametrize(
    ("name", "pes"),
    [("npu1", (0, 1)), ("npu1pe0", (0,)), ("npu1pe1", (1,)), ("npu1pe0-1", (0, 1)), ("npu1_mgmt", ()), ("npu1ch3", ())],
)
def test_a_device_file_lets_its_pes_be_used(name: str, pes: tuple[int, ...]) -> None:
    """As the simulator makes it; what names no PE lets none."""
    (node,) = (node for path, node in render(STATE.cards[1], STATE.majors["warboy"]).items() if path == f"dev/{name}")
    assert isinstance(node, Device)
    assert pes_opened([(1, 3), (node.major, node.minor)], STATE) == tuple(pe_name(Y, pe) for pe in pes)


def test_a_pe_is_named_after_its_card() -> None:
    """And tells it."""
    assert (pe_name(X, 1), card_of(pe_name(X, 1))) == (f"{X}/pe1", X)


def device(card: str, part: str = "", effect: str = "") -> dict[str, Any]:
    taints = {"taints": [{"key": "npu.furiosa.ai/failed", "effect": effect}]} if effect else {}
    return {"name": f"npu-{card.lower()}{part}", **taints}


def slice_of(*devices: dict[str, Any], generation: int = 2, count: int = 1, node: str = "node") -> dict[str, Any]:
    pool = {"name": node, "generation": generation, "resourceSliceCount": count}
    return {"spec": {"nodeName": node, "pool": pool, "devices": list(devices)}}


def test_devices_without_a_taint_are_offered() -> None:
    """Of the node alone; a taint without effect keeps nobody away."""
    devices = [device(X), device(X, "-pe0", "NoSchedule"), device(X, "-pe1", "NoExecute"), device(Y, effect="None")]
    slices = [slice_of(*devices), slice_of(device(X, "-pe0"), node="other")]
    assert offered("node", slices, STATE) == {"card": tuple(sorted((X, Y))), "pe0": (), "pe1": ()}


def test_a_pool_that_is_not_there_whole_offers_nothing() -> None:
    """As the scheduler has it: the newest generation, and all slices of it. Where there is none, none is missing."""
    assert offered("node", [slice_of(device(X), count=2)], STATE) is None
    assert offered("node", [], STATE) == NOTHING
    older = slice_of(device(Y), generation=1, count=2)
    counters = {"spec": slice_of(count=2)["spec"] | {"devices": None}}
    del counters["spec"]["devices"]
    assert offered("node", [slice_of(device(X), count=2), counters, older], STATE) == NOTHING | {"card": (X,)}


def test_a_cdi_file_gives_the_pes_of_its_device_files() -> None:
    """A part's, a card's, and nothing where it is no whole file."""

    def file(*names: str) -> str:
        nodes = [{"path": f"/dev/{name}", "hostPath": f"/run/{name}"} for name in names]
        return json.dumps({"devices": [{"name": "a", "containerEdits": {"deviceNodes": nodes}}]})

    assert pes_given(file("npu0_mgmt", "npu0pe1", "npu0ch0"), STATE) == (f"{X}/pe1",)
    assert pes_given(file("npu1", "npu0pe0"), STATE) == tuple(sorted((f"{X}/pe0", f"{Y}/pe0", f"{Y}/pe1")))
    assert pes_given(file("npu0")[:20], STATE) == ()


def test_chaos_changes_of_the_driver_what_it_changes_of_the_plugin() -> None:
    """What is preloaded, the mounted sysfs, short probations; nothing of the other objects."""
    before = driver_objects()
    changed = [
        (old, new) for old, new in zip(before, overlay.with_chaos(before, DAEMON_SET), strict=True) if old != new
    ]
    ((old, new),) = changed
    (plain,), (struck,) = (one["spec"]["template"]["spec"]["containers"] for one in (old, new))
    assert {name for name in plain if plain[name] != struck[name]} == {"args", "env", "volumeMounts"}
    assert f"--sysfs-root={overlay.MOUNTED}" in struck["args"]
    assert "--probation-longest-seconds=4" in struck["args"]


def test_a_pod_tells_its_claims() -> None:
    """For its extended resources, from templates, and those that were there before; each once."""
    item: dict[str, Any] = {
        "metadata": {"uid": "u", "name": "n"},
        "spec": {"containers": [], "resourceClaims": [{"name": "npu", "resourceClaimName": "shared"}, {"name": "t"}]},
        "status": {
            "resourceClaimStatuses": [{"name": "t", "resourceClaimName": "made"}, {"name": "none"}],
            "extendedResourceClaimStatus": {"resourceClaimName": "extended"},
        },
    }
    assert pod_seen(item).claims == ("extended", "made", "shared")
    assert pod_seen(item | {"spec": {"containers": []}, "status": {}}).claims == ()


@given(st.integers(0, 2**32), st.floats(0, 600))
def test_pods_ask_in_one_way_each(seed: int, seconds: float) -> None:
    """One seed, one plan, by their times; names are different; a shared claim decides on the node."""
    steps = claim_plan(seed, seconds, SITE)
    assert steps == claim_plan(seed, seconds, SITE)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert len({step.name for step in steps}) == len(steps)
    for step in steps:
        assert bool(step.requests) + bool(step.template) + bool(step.claim) == 1
        assert step.template in ("", *TEMPLATES)
        assert step.claim in ("", *SHARED)
        assert not (step.claim and step.node)


def test_pods_ask_in_every_way() -> None:
    """Over ten minutes: each template, each shared claim by two pods that come one soon after the other."""
    steps = claim_plan(1, 600, SITE)
    assert {step.template for step in steps} == {"", *TEMPLATES}
    assert {step.claim for step in steps} == {"", *SHARED}
    by_name = {step.name: step for step in steps}
    pairs = [(by_name[name.removesuffix("-too")], step) for name, step in by_name.items() if name.endswith("-too")]
    assert pairs
    for one, other in pairs:
        assert one.claim == other.claim != ""
        assert 0 <= other.at - one.at <= APART_SECONDS


def test_a_pod_has_its_claim_in_each_container() -> None:
    """Made from a template, or shared."""
    step = PodStep(1.0, "chaos-0", None, (), in_init_too=True, seconds=3.0, deleted_after=None, template="pe")
    spec = body_of(step)["spec"]
    assert spec["resourceClaims"] == [{"name": "npu", "resourceClaimTemplateName": "pe"}]
    used = {"claims": [{"name": "npu"}]}
    assert [one["resources"] for one in (*spec["initContainers"], *spec["containers"])] == [used, used]
    shared = body_of(step._replace(template="", claim="shared-pe"))["spec"]
    assert shared["resourceClaims"] == [{"name": "npu", "resourceClaimName": "shared-pe"}]
