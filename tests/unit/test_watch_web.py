"""An agent's probes follow its parts: the loop that looks, the pool's last scan, the conditions of all others."""

from types import SimpleNamespace
from typing import Any, cast

from furiosa_npu.agent.http_request import TEXT
from furiosa_npu.agent.log import Log
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.web import Web


class Agent:
    """Its web over parts whose state is in the tests' hands; the cycle is of one second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cycle = SimpleNamespace(turned_at=100.0)
        self.pool = SimpleNamespace(scanned_at=100.0)
        self.conditions = Conditions(Log("text", "info", lambda _: None))
        self._web = Web(
            cast(Any, self.pool),
            cast(Any, self.cycle),
            1.0,
            lambda _: (),
            self.conditions.troubles,
            cast(Any, None),
            lambda: self.now,
        )

    def get(self, path: str) -> tuple[int, str]:
        status, content_type, body = self._web.routes[path]()
        assert content_type == TEXT
        return status, body


def test_alive_by_the_turns_of_the_loop_alone() -> None:
    """Neither a stale scan nor a kubelet that is away is a reason to start the agent anew."""
    agent = Agent()
    agent.now = agent.cycle.turned_at = 500.0
    agent.conditions.trouble("furiosa.ai/npu", "no kubelet runs")
    assert agent.get("/livez") == (200, "ok\n")
    agent.now = 511.0
    assert agent.get("/livez") == (503, "loop: the last turn was 11 s ago, expected at most 10 s\n")


def test_ready_by_the_last_scan() -> None:
    """Not before the first one, not when it is old, and again with a new one."""
    agent = Agent()
    assert agent.get("/readyz") == (200, "ok\n")
    agent.now = 111.0
    assert agent.get("/readyz") == (503, "scan: the last one is 11 s old, expected at most 10 s\n")
    agent.pool.scanned_at = 111.0
    assert agent.get("/readyz") == (200, "ok\n")
    agent.pool.scanned_at = cast(Any, None)
    assert agent.get("/readyz") == (503, "scan: no card was looked at yet\n")


def test_ready_by_what_each_part_says_of_itself() -> None:
    """What it waits for and what troubles it, until it is well; a remark is no matter of readiness."""
    agent = Agent()
    agent.conditions.waiting("furiosa.ai/npu", "not registered with the kubelet yet")
    agent.conditions.trouble("alpha.furiosa.ai/npu", "no kubelet runs")
    agent.conditions.remark("inotify", "no events from the kernel")
    assert agent.get("/readyz") == (
        503,
        "alpha.furiosa.ai/npu: no kubelet runs\nfuriosa.ai/npu: not registered with the kubelet yet\n",
    )
    agent.conditions.well("furiosa.ai/npu")
    assert agent.get("/readyz") == (503, "alpha.furiosa.ai/npu: no kubelet runs\n")
    agent.conditions.well("alpha.furiosa.ai/npu")
    assert agent.get("/readyz") == (200, "ok\n")
