"""One run: puts the plan into effect, observes, waits until all is well again, judges."""

import heapq
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.cluster.cache import say
from tests.cluster.chaos import overlay
from tests.cluster.chaos.api import ApiAway, answered
from tests.cluster.chaos.ending import Agent, agent_kills, judge_end
from tests.cluster.chaos.history import Deed
from tests.cluster.chaos.load import PODS, Load
from tests.cluster.chaos.observer import Observer, Record
from tests.cluster.chaos.plan import Step, lasting, length_seconds, plan
from tests.cluster.chaos.planes import Plane
from tests.cluster.chaos.processes import find_agent, memory
from tests.cluster.chaos.report import Outcome, deed_line
from tests.cluster.chaos.site import AGENTS, SITE, ChaosCluster, is_ready
from tests.cluster.chaos.strike import Striker
from tests.cluster.chaos.tally import Bounds

BOUNDS = Bounds(
    first_probation_seconds=overlay.FIRST_PROBATION_SECONDS, longest_probation_seconds=overlay.LONGEST_PROBATION_SECONDS
)
WELL_SECONDS = 150.0
"""Until all is well after the last fault; 1.20.2's kubelet may take a minute longer for a sandbox (workloads.py)."""


def run_chaos(plane: Plane, chaos: ChaosCluster, seed: int, count: int, history: Path) -> Outcome:
    """The whole of it, on a cluster of that plane. `history`: the file that gets what is seen, a line an event."""
    steps = plan(seed, count, SITE)
    seconds = length_seconds(steps)
    say(f"chaos with seed {seed}: {len(steps)} faults in {seconds:.0f} s; history: {history}")
    before = chaos.cluster.wait("the agents to be seen", answered(lambda: agents(chaos)))
    with ExitStack() as at_work:  # whatever of it fails, nothing goes on without the cluster
        record = Record(history)
        at_work.callback(record.close)
        observer = Observer(chaos, record, plane.looks(chaos))
        at_work.callback(observer.close)
        began = time.time()
        load = Load(chaos.api, record, plane.pods(seed, seconds, SITE), began)
        at_work.callback(load.close)
        _put_into_effect(Striker(chaos), steps, record, began, observer.check)
        load.close()
        healed = time.monotonic()
        missing, after = _settle(chaos)
        settled_seconds = time.monotonic() - healed
    deeds = [event for event in record.events if isinstance(event, Deed)]
    kills = agent_kills(deeds, chaos.program)
    tallies = (
        *plane.judge(record.events, BOUNDS),
        *judge_end(before, after, kills, missing, time.time(), chaos.told_of),
    )
    return Outcome(seed, began, tuple(record.events), tallies, before, after, load.made, settled_seconds)


def _put_into_effect(
    striker: Striker, steps: Sequence[Step], record: Record, began: float, check: Callable[[], None]
) -> None:
    """Strikes and heals at the planned times, one deed after the other."""
    due: list[tuple[float, bool, int, Step]] = []
    for step in steps:
        heapq.heappush(due, (step.at, False, step.number, step))
        if lasting(step):
            heapq.heappush(due, (step.at + step.seconds, True, step.number, step))
    while due:
        at, heals, _, step = heapq.heappop(due)
        time.sleep(max(0.0, began + at - time.time()))
        check()
        deed = striker.heal(step) if heals else striker.begin(step)
        record.add(deed)
        say(deed_line(deed, began))


def _settle(chaos: ChaosCluster) -> tuple[str, tuple[Agent, ...]]:
    """Deletes the pods and waits until all is well; what is still missing at the deadline, or nothing, and the agents
    as they were just then.
    """
    deadline = time.monotonic() + WELL_SECONDS
    missing = "the API server does not answer"
    found: tuple[Agent, ...] = ()
    while time.monotonic() < deadline:
        try:
            chaos.api.request("DELETE", f"{PODS}?gracePeriodSeconds=1")
            found = agents(chaos)
            missing = _missing(chaos, found)
            if not missing:
                break
        except ApiAway as away:
            missing = str(away)
        time.sleep(1)
    return missing, found


def _missing(chaos: ChaosCluster, found: Sequence[Agent]) -> str:
    """Of an agent whose pod gives way to another one, there may be none at the moment."""
    left = [pod["metadata"]["name"] for pod in chaos.api.request("GET", PODS)["items"]]
    if left:
        return f"pods {', '.join(left)} are not gone"
    missing = chaos.not_offered()
    if missing:
        return missing
    unready = [f"{agent.program} on {agent.node}" for agent in found if not agent.ready]
    if unready:
        return f"not Ready: {', '.join(unready)}"
    return "" if len(found) == AGENTS else f"{len(found)} agents are there, expected {AGENTS}"


def _end_of(status: dict[str, Any]) -> str:
    end = status.get("lastState", {}).get("terminated", {})
    return " ".join(str(end[field]) for field in ("exitCode", "reason", "finishedAt", "message") if field in end)


def agents(chaos: ChaosCluster) -> tuple[Agent, ...]:
    """The agents' pods and processes now."""
    found = []
    for pod in chaos.agent_pods():
        node, program = pod["spec"].get("nodeName", ""), pod["metadata"]["ownerReferences"][0]["name"]
        pid = find_agent(chaos.group(node), program)
        statuses = pod["status"].get("containerStatuses", ())
        found.append(
            Agent(
                node,
                program,
                pod["metadata"]["uid"],
                sum(status["restartCount"] for status in statuses),
                is_ready(pod),
                memory(pid) if pid is not None else None,
                ", ".join(map(_end_of, statuses)),
            )
        )
    return tuple(sorted(found))
