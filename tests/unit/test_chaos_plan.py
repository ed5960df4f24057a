"""What will happen in chaos: one seed, one plan; no two faults at one place at a time."""

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.chaos.faults import KIND, KINDS
from tests.cluster.chaos.load import body_of
from tests.cluster.chaos.plan import POD_LIFE_SECONDS, PodStep, Site, Step, length_seconds, plan, pod_plan
from tests.cluster.chaos.planes import NEWEST_FAULTS, NEWEST_SEEDS
from tests.cluster.chaos.site import SITE as CHAOS_SITE
from tests.cluster.pods import ALPHA, PLAIN

SITE = Site(("node01", "node02"), ("npu0", "npu1", "npu2"))
SEEDS = st.integers(0, 2**32)
COUNTS = st.integers(0, 200)


@given(SEEDS, COUNTS)
def test_a_seed_gives_one_plan_of_so_many_faults(seed: int, count: int) -> None:
    """Numbered from 0 in the order of their times."""
    steps = plan(seed, count, SITE)
    assert steps == plan(seed, count, SITE)
    assert [step.number for step in steps] == list(range(count))
    assert [step.at for step in steps] == sorted(step.at for step in steps)


@given(SEEDS)
def test_each_kind_comes_before_one_comes_again(seed: int) -> None:
    """60 faults hold each kind, whatever the seed."""
    kinds = [step.kind for step in plan(seed, 60, SITE)]
    assert set(kinds[: len(KINDS)]) == {kind.name for kind in KINDS}


def test_the_runs_on_the_newest_kubernetes_have_each_kind_together() -> None:
    """One a plane."""
    plans = [plan(seed, NEWEST_FAULTS, CHAOS_SITE) for seed in NEWEST_SEEDS.values()]
    assert {step.kind for steps in plans for step in steps} == {kind.name for kind in KINDS}


@given(SEEDS)
def test_two_seeds_give_two_plans(seed: int) -> None:
    """What is drawn depends on the seed."""
    assert plan(seed, 30, SITE) != plan(seed + 1, 30, SITE)


@given(SEEDS, COUNTS)
def test_no_place_is_struck_by_two_faults_at_once(seed: int, count: int) -> None:
    """Cards, and what of a node or the cluster a kind keeps busy: the next comes when the last was healed."""
    until: dict[str, float] = {}
    for step in plan(seed, count, SITE):
        for place in _places(step):
            assert step.at >= until.get(place, 0.0), (step, place)
            until[place] = step.at + step.seconds


def _places(step: Step) -> set[str]:
    found = {f"{step.node}/{step.card}"} if step.card else set()
    for busied in KIND[step.kind].busies:
        found |= {f"{step.node}/{card}" for card in SITE.cards} if busied == "cards" else {f"{step.node}/{busied}"}
    return found


@given(SEEDS, COUNTS)
def test_faults_strike_what_their_kind_strikes(seed: int, count: int) -> None:
    """A card of a node, a node, always the first node, or the cluster; for as long as the kind may last."""
    for step in plan(seed, count, SITE):
        kind = KIND[step.kind]
        shortest, longest = kind.seconds
        assert shortest <= step.seconds <= longest
        assert (step.node in SITE.nodes, step.card in SITE.cards) == {
            "card": (True, True),
            "node": (True, False),
            "one node": (True, False),
            "cluster": (False, False),
        }[kind.strikes]
        assert kind.strikes != "one node" or step.node == SITE.nodes[0]
        assert bool(step.clock_step_seconds) == (step.kind == "clock-stepped")


@given(SEEDS, st.integers(10, 200))
def test_the_last_faults_are_a_kubelet_killed_on_each_node_after_all_else_is_healed(seed: int, count: int) -> None:
    """A kubelet that comes back has forgotten how long a crashed agent had to wait."""
    *others, first, second = plan(seed, count, SITE)
    assert [(step.kind, step.node) for step in (first, second)] == [("kubelet-killed", node) for node in SITE.nodes]
    assert first.at == second.at >= length_seconds(others)


@given(SEEDS, st.floats(0, 600))
def test_pods_come_for_as_long_as_faults_do(seed: int, seconds: float) -> None:
    """Their times, names and requests; one seed, one plan."""
    steps = pod_plan(seed, seconds, SITE)
    assert steps == pod_plan(seed, seconds, SITE)
    assert [step.name for step in steps] == [f"chaos-{number}" for number in range(len(steps))]
    for step in steps:
        assert 0 < step.at < seconds
        assert step.node in (None, *SITE.nodes)
        assert {resource for resource, _ in step.requests} <= {ALPHA, PLAIN}
        assert POD_LIFE_SECONDS[0] <= step.seconds <= POD_LIFE_SECONDS[1]


def test_pods_ask_under_both_names_and_for_several() -> None:
    """Over ten minutes: each name alone, both at once, more than one card, init containers, deletions."""
    steps = pod_plan(1, 600, SITE)
    names = {tuple(resource for resource, _ in step.requests) for step in steps}
    assert names >= {(ALPHA,), (PLAIN,)}
    assert any(len(each) == 2 for each in names)
    assert {step.requests[0][1] for step in steps} == {1, 2, 3}
    assert {step.in_init_too for step in steps} == {step.deleted_after is None for step in steps} == {True, False}


def test_a_pod_asks_for_what_was_planned() -> None:
    """In its app container, and before in an init container where that was planned."""
    step = PodStep(
        1.0, "chaos-0", "node01", ((ALPHA, 2), (PLAIN, 1)), in_init_too=True, seconds=3.0, deleted_after=None
    )
    spec = body_of(step)["spec"]
    limits = {"limits": {ALPHA: "2", PLAIN: "1"}}
    assert [one["resources"] for one in (*spec["initContainers"], *spec["containers"])] == [limits, limits]
    assert spec["nodeSelector"] == {"kubernetes.io/hostname": "node01"}
    assert body_of(step._replace(in_init_too=False))["spec"]["initContainers"] == []
