"""One run: puts the plan into effect, observes, waits until all is well again, judges."""

import heapq
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.cache import say
from tests.cluster.chaos import overlay
from tests.cluster.chaos.api import ApiAway
from tests.cluster.chaos.ending import Agent, agent_kills, judge_end
from tests.cluster.chaos.history import Deed
from tests.cluster.chaos.judge import judge
from tests.cluster.chaos.load import PODS, Load
from tests.cluster.chaos.observer import Observer, Record
from tests.cluster.chaos.plan import Step, lasting, length_seconds, plan, pod_plan
from tests.cluster.chaos.processes import find_agent, memory
from tests.cluster.chaos.report import Outcome, deed_line
from tests.cluster.chaos.site import RESOURCES, SITE, ChaosCluster, is_ready
from tests.cluster.chaos.strike import Striker
from tests.cluster.chaos.tally import Bounds

BOUNDS = Bounds(
    first_probation_seconds=overlay.FIRST_PROBATION_SECONDS, longest_probation_seconds=overlay.LONGEST_PROBATION_SECONDS
)
WELL_SECONDS = 150.0
"""Until all is well after the last fault; 1.20.2's kubelet may take a minute longer for a sandbox (workloads.py)."""


def run_chaos(chaos: ChaosCluster, seed: int, count: int, history: Path) -> Outcome:
    """The whole of it. `history`: the file that gets what is seen, a line an event."""
    steps = plan(seed, count, SITE)
    seconds = length_seconds(steps)
    say(f"chaos with seed {seed}: {len(steps)} faults in {seconds:.0f} s; history: {history}")
    before = agents(chaos)
    record = Record(history)
    observer = Observer(chaos, record)
    began = time.time()
    load = Load(chaos.api, record, pod_plan(seed, seconds, SITE), began)
    try:
        _put_into_effect(Striker(chaos), steps, record, began, observer.check)
        load.close()
        healed = time.monotonic()
        missing = _settle(chaos)
        settled_seconds = time.monotonic() - healed
    finally:
        load.close()
        observer.close()
        record.close()
    after = agents(chaos)
    deeds = [event for event in record.events if isinstance(event, Deed)]
    kills = agent_kills(deeds, overlay.PLUGIN)
    tallies = (
        *judge(record.events, RESOURCES, BOUNDS),
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


def _settle(chaos: ChaosCluster) -> str:
    """Deletes the pods and waits until all is well; what is still missing at the deadline, or nothing."""
    deadline = time.monotonic() + WELL_SECONDS
    missing = "the API server does not answer"
    while time.monotonic() < deadline:
        try:
            chaos.api.request("DELETE", f"{PODS}?gracePeriodSeconds=1")
            missing = _missing(chaos)
            if not missing:
                return ""
        except ApiAway as away:
            missing = str(away)
        time.sleep(1)
    return missing


def _missing(chaos: ChaosCluster) -> str:
    left = [pod["metadata"]["name"] for pod in chaos.api.request("GET", PODS)["items"]]
    if left:
        return f"pods {', '.join(left)} are not gone"
    if not chaos.all_offered():
        nodes = chaos.api.request("GET", "/api/v1/nodes")["items"]
        return f"allocatable: { {node['metadata']['name']: node['status']['allocatable'] for node in nodes} }"
    unready = [pod["metadata"]["name"] for pod in chaos.agent_pods() if not is_ready(pod)]
    return f"not Ready: {', '.join(unready)}" if unready else ""


def _end_of(status: dict[str, Any]) -> str:
    end = status.get("lastState", {}).get("terminated", {})
    return " ".join(str(end[field]) for field in ("exitCode", "reason", "finishedAt", "message") if field in end)


def agents(chaos: ChaosCluster) -> tuple[Agent, ...]:
    """The agents' pods and processes now."""
    found = []
    for pod in chaos.agent_pods():
        node, program = pod["spec"]["nodeName"], pod["metadata"]["ownerReferences"][0]["name"]
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
