"""A real Prometheus scrapes the real agents: the dashboard's queries and the alerting rules find what they ask for."""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring import dashboard

from tests.promtool.agents import agents
from tests.promtool.server import Prometheus, prometheus, until
from tests.protocol.plugin_node import SECONDS

QUERIES = [
    target["expr"].replace("$node", ".*").replace("$__rate_interval", "30s")
    for panel in json.loads(dashboard.text())["panels"]
    for target in panel.get("targets", ())
]

Labels = Mapping[str, str]

HAPPENED: tuple[tuple[str, Labels], ...] = (
    ("increase(furiosa_npu_state_transitions_total", {"state": "failed"}),
    ("increase(furiosa_npu_state_transitions_total", {"state": "allocated"}),
    ("rate(furiosa_npu_answers_total", {"call": "Allocate", "outcome": "answered"}),
    ("rate(furiosa_npu_answers_total", {"call": "Allocate", "outcome": "refused"}),
    ("rate(furiosa_npu_claim_answers_total", {"call": "NodePrepareResources", "outcome": "refused"}),
)
"""what the agents are put through: words of the query that counts it, and the series that has to show it"""

WRONG = {
    "pending": {
        "FuriosaNPUFailed",
        "FuriosaNPUSlow",
        "FuriosaNPUApiWritesFailing",
        "FuriosaNPUAgentInTrouble",
        "FuriosaNPUNoLabeller",
    }
}
"""by the end of what the agents were put through: alerts that wait to be told"""


async def has_data(server: Prometheus, query: str, since: float, counted: Labels | None = None) -> bool:
    """At some second since then a number came of it; one above 0 of the series that has `counted` for labels."""
    asked = {"query": query, "start": str(since), "end": str(time.time()), "step": "1s"}
    series = (await server.ask("query_range", **asked))["result"]
    if counted is None:
        return any(math.isfinite(float(value)) for one in series for _, value in one["values"])
    return any(float(value) > 0 for one in series if one["metric"] == counted for _, value in one["values"])


async def alerts(server: Prometheus) -> dict[str, set[str]]:
    """By state, the names of those that are not at rest."""
    states: dict[str, set[str]] = {}
    for alert in (await server.ask("alerts"))["alerts"]:
        states.setdefault(alert["state"], set()).add(alert["labels"]["alertname"])
    return states


async def unhealthy_rules(server: Prometheus) -> list[Any]:
    groups = (await server.ask("rules"))["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]


def test_what_happens_is_counted_by_one_query_each() -> None:
    """One that nobody asks would not be missed."""
    assert [sum(words in query for query in QUERIES) for words, _ in HAPPENED] == [1] * len(HAPPENED)


async def test_every_query_answers_with_data_and_every_rule_is_evaluated(folder: str, tmp_path: Path) -> None:
    """After a pod, a card that fails, a refusal and a claim, which are counted; what is wrong waits to be told, and
    nothing else does."""
    started = time.time()
    async with agents(folder, tmp_path) as living, prometheus(tmp_path, living.targets) as server:
        await until(lambda: has_data(server, "count(up == 1) == 3", started))
        bad = await living.live()
        missing: list[tuple[str, Labels | None]] = [(query, None) for query in QUERIES]
        missing += [(query, labels) for words, labels in HAPPENED for query in QUERIES if words in query]
        deadline = time.monotonic() + SECONDS
        while missing and time.monotonic() < deadline:
            missing = [asked for asked in missing if not await has_data(server, asked[0], started, asked[1])]
            await asyncio.sleep(0.2)
        assert missing == []
        deadline = time.monotonic() + SECONDS
        while unhealthy := await unhealthy_rules(server):  # "unknown" until they have been evaluated
            assert time.monotonic() < deadline, unhealthy
            await asyncio.sleep(0.2)
        while (found := await alerts(server)) != WRONG:  # Prometheus tells nobody
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.2)
        failed = await server.ask("query", query='ALERTS{alertname="FuriosaNPUFailed"}')
        assert [(one["metric"]["node"], one["metric"]["name"]) for one in failed["result"]] == [("n1", bad)]
        nodes = await server.ask("label/node/values", **{"match[]": "furiosa_npu_stuck_readers"})
        assert nodes == ["n1", "n2"]
