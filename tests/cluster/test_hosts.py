"""The made-up hosts: what happens on one stays on it, and nothing of it is left on the machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import cgroups, runs
from tests.cluster.hosts import Host, Program
from tests.cluster.runs import Run

_RUN_UNTIL_KILLED = """
import signal
from tests.cluster import cgroups
from tests.cluster.hosts import Host
from tests.cluster.runs import Run
run = Run()
cgroups.make(f"{run.cgroup}/host")
host = Host("host", run.folder / "hosts/host", run.lock, outlives_us=False)
print(run.id, host.pid, flush=True)
signal.pause()
"""


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    run.close()


def test_a_hosts_folders_and_devices_are_its_own(run: Run) -> None:
    """What is written to its /dev, /run, /var/lib and /var/log is not on the machine."""
    host = Host("host", run.folder / "hosts/host", run.lock, outlives_us=False)
    marks = [f"/{folder}/{run.id}" for folder in ("dev", "run", "var/lib", "var/log")]
    host.run(["touch", *marks])
    assert [host.path(mark).exists() for mark in marks] == [True] * 4
    assert [Path(mark).exists() for mark in marks] == [False] * 4
    assert host.run(["hostname"]) == "host\n"
    host.close()


def test_a_release_brings_its_own_programs_to_a_host(run: Run) -> None:
    """They come before the machine's of the same name, for what the host starts and for what that starts in turn."""
    programs = run.folder / "programs"
    programs.mkdir()
    (programs / "ctr").write_text("#!/bin/sh\necho ours\n")
    (programs / "ctr").chmod(0o755)
    host = Host("host", run.folder / "hosts/host", run.lock, [programs], outlives_us=False)
    assert host.run(["ctr"]) == "ours\n"
    assert host.run(["sh", "-c", "ctr"]) == "ours\n"
    host.close()


def test_a_closed_host_has_ended_all_its_programs(run: Run) -> None:
    """Also what they started and what left its session: the kernel ends it with the PID namespace."""
    host = Host("host", run.folder / "hosts/host", run.lock, outlives_us=False)
    program = Program(host, "shell", ["sh", "-c", "setsid sleep 1000 & wait"], run.logs / "shell.log")
    program.start()
    with open(f"/proc/{host.pid}/ns/pid") as namespace:  # held, or the next one on this machine may get its number
        inside = os.fstat(namespace.fileno()).st_ino
        host.close()
        program.forget()
        assert processes_of(inside) == []


def processes_of(pid_namespace: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.stat(entry / "ns/pid").st_ino == pid_namespace:
                    found.append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it has just ended, or it is none that this user started
    return found


def test_a_killed_run_takes_its_hosts_along_and_the_next_clears_up() -> None:
    """SIGKILL to the tests: the hosts end by themselves; cgroups and data go at the start of the next run."""
    killed = subprocess.Popen([sys.executable, "-c", _RUN_UNTIL_KILLED], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    run_id, pid = killed.stdout.readline().split()
    place = cgroups.hierarchies()[0] / runs.cgroup_of(run_id)
    assert place.is_dir()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    deadline = time.monotonic() + 60
    while runs.lives(runs.runs_folder() / run_id) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    Run().close()
    assert not place.exists()
    assert sorted(entry.name for entry in (runs.runs_folder() / run_id).iterdir()) == ["logs"]
