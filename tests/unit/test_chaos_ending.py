"""What has to be so once all faults are healed, and what a run says of itself."""

import os
import subprocess
from pathlib import Path

from tests.cluster.chaos.ending import Agent, agent_kills, judge_end
from tests.cluster.chaos.history import Deed
from tests.cluster.chaos.processes import Container, Memory, allowed_devices, memory, parse_devices_list
from tests.cluster.chaos.report import Outcome, report
from tests.cluster.chaos.tally import Bounds, Tally, Violation
from tests.unit.chaos_histories import deed, over

PLUGIN = Agent("node", "plugin", "uid-1", 0, ready=True, memory=Memory(20_000, 9_000))


def wrongs(after: Agent | None, kills: int = 0, not_offered: str = "") -> list[list[str]]:
    """What is said of the end, and of the memory."""
    killed = {("node", "plugin"): kills}
    tallies = judge_end([PLUGIN], [after] if after else [], killed, not_offered, 1.0)
    return [[violation.what for violation in tally.violations] for tally in tallies if tally.blames]


def test_an_agent_that_nobody_touched_is_as_it_was() -> None:
    """The same pod, Ready, without a restart."""
    assert wrongs(PLUGIN) == [[], []]


def test_an_agent_restarts_as_often_as_it_was_killed() -> None:
    """And no more."""
    assert wrongs(PLUGIN._replace(restarts=2), kills=2) == [[], []]
    said = "plugin: restarted 2 times and was killed 1 times; ended last: 1 Error"
    assert wrongs(PLUGIN._replace(restarts=2, last_end="1 Error"), kills=1) == [[said], []]


def test_a_start_that_the_killed_kubelet_broke_off_is_no_restart() -> None:
    """No process of the agent ever ran; the next restart is one again."""
    never_ran = "128 StartError 2026-11-28T04:46:00Z failed to create containerd task: context canceled"
    assert wrongs(PLUGIN._replace(restarts=2, last_end=never_ran), kills=1) == [[], []]
    said = f"plugin: restarted 3 times and was killed 1 times; ended last: {never_ran}"
    assert wrongs(PLUGIN._replace(restarts=3, last_end=never_ran), kills=1) == [[said], []]


def test_each_way_not_to_be_well_is_named() -> None:
    """Another pod, no pod, not Ready, cards that are not offered."""
    assert wrongs(PLUGIN._replace(uid="uid-2")) == [["plugin: its pod was uid-1 and is uid-2"], []]
    assert wrongs(None) == [["plugin: its pod is not there"], []]
    assert wrongs(PLUGIN._replace(ready=False)) == [["plugin: not Ready"], []]
    assert wrongs(PLUGIN, not_offered="allocatable: 3") == [["allocatable: 3"], []]


def test_of_a_pod_that_was_replaced_the_clusters_events_are_told() -> None:
    """They say why; its own log went with it."""
    tallies = judge_end([PLUGIN], [], {}, "", 1.0, lambda uid: f"; Evicted: {uid} was")
    assert [violation.what for violation in tallies[0].violations] == [
        "plugin: its pod is not there; Evicted: uid-1 was"
    ]


def test_a_pod_that_its_kubelet_turned_away_for_its_nodes_labels_is_told_apart() -> None:
    """1.20.2 does so to pods that run, when it starts and cannot read its node yet; another one has to be Ready."""
    said = "; Started: Started container plugin; NodeAffinity: Predicate NodeAffinity failed"
    for another, blamed in (
        (PLUGIN._replace(uid="uid-2"), 0),
        (PLUGIN._replace(uid="uid-2", ready=False), 1),
        (None, 1),
    ):
        tallies = judge_end([PLUGIN], [another] if another else [], {}, "", 1.0, lambda _: said)
        counted = [len(tally.violations) for tally in tallies]
        assert counted == [blamed, 1 - blamed, 0]


def test_anonymous_memory_may_grow_by_three_mebibytes() -> None:
    """File pages come and go with the page cache and are not counted."""
    assert wrongs(PLUGIN._replace(memory=Memory(90_000, 9_000 + 3072))) == [[], []]
    assert wrongs(PLUGIN._replace(memory=Memory(20_000, 9_000 + 3073))) == [[], ["plugin: RssAnon grew by 3073 KiB"]]


def test_only_an_agent_that_was_there_was_killed() -> None:
    """By node and program."""
    deeds = [
        Deed(1, 1, 0, "agent-killed", "node", "", heals=False, detail="pid 7"),
        Deed(2, 2, 1, "agent-killed", "node", "", heals=False, detail="there was none"),
        Deed(3, 3, 2, "agent-killed-without-inotify", "node", "", heals=False, detail="pid 9"),
        Deed(4, 4, 2, "agent-killed-without-inotify", "node", "", heals=True),
        Deed(5, 5, 3, "kubelet-killed", "node", "", heals=False, detail="pid 11"),
    ]
    assert agent_kills(deeds, "plugin") == {("node", "plugin"): 2}


def test_a_container_may_open_what_its_device_cgroup_lists_for_writing() -> None:
    """cgroup v1: whole majors (`*`) and devices that may only be made are no grant."""
    listed = "c 1:3 rwm\nc 136:* rwm\nc *:* m\nb *:* m\nc 510:2 rw\nc 509:16 r\n"
    assert parse_devices_list(listed) == {(1, 3), (510, 2)}


def test_what_ends_while_it_is_looked_at_has_nothing(tmp_path: Path) -> None:
    """A container whose group went with it; an agent that was killed."""
    assert allowed_devices(Container("pod", "id", tmp_path / "gone")) == set()
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert memory(ended.pid) is None  # a zombie
    assert memory(ended.pid) is None


def test_a_run_says_its_seed_its_faults_each_promise_and_what_was_around_a_violation() -> None:
    """All that is needed to find the bug, and to do it again."""
    history = (*over(0, 2), deed(2, "sockets-removed"), *over(2, 8, offered={}))
    tallies = (Tally("kept", 5, ()), Tally("broken", 2, (Violation(7.0, "node", "X", "not offered"),)))
    outcome = Outcome(42, 0.0, history, tallies, (PLUGIN,), (PLUGIN,), 3, 4.0)
    text = report(outcome, Bounds())
    assert not outcome.kept
    assert text.startswith("seed 42: 1 faults, 3 pods\n\nallowed, in seconds: ")
    assert text.endswith("\n\n+2.00s #0 struck sockets-removed node")
    assert "   0 violations in       5 checks: kept" in text
    assert "   1 violations in       2 checks: broken" in text
    assert "node plugin: RSS 20000 -> 20000, RssAnon 9000 -> 9000, restarts 0" in text
    around = text.partition("VIOLATION of: broken\n")[2].partition("\n\n")[0]
    assert around.splitlines()[0] == "  +7.00s node X: not offered"
    assert [line.split()[0] for line in around.splitlines()[1:]] == ["+0.00s", "+2.00s", "+2.00s"]


def test_a_promise_that_was_never_put_to_the_test_is_not_kept() -> None:
    """No checks, no verdict."""
    assert not Outcome(1, 0.0, (), (Tally("untried", 0, ()),), (), (), 0, 0.0).kept
