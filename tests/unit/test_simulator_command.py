"""The command `furiosa-npu-simulator` as a user runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from furiosa_npu import __version__
from furiosa_npu.simulator import Simulation, parse_scenario
from furiosa_npu.simulator.__main__ import main
from furiosa_npu.simulator.faults import KINDS

SAMPLES = Path(__file__).parents[2] / "examples" / "scenarios"


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "scenario.yaml"
    path.write_text("cards: [{family: warboy}, {family: renegade}]")
    return str(path)


@pytest.fixture
def sim(tmp_path: Path, scenario: str) -> str:
    assert main(["create", f"{tmp_path}/sim", scenario, "--plain-files"]) == 0
    return f"{tmp_path}/sim"


def _exit_code(*arguments: str) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir()))
def test_each_sample_is_a_scenario(sample: str, tmp_path: Path) -> None:
    """examples/scenarios holds samples and nothing else, and each of them works."""
    assert main(["create", str(tmp_path), str(SAMPLES / sample), "--plain-files"]) == 0


def test_each_command_says_what_has_become_of_the_card(sim: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line: name, family, UUID, address, state."""
    uuid = Simulation.open(sim).state().cards[1].card.uuid
    capsys.readouterr()
    commands = {
        "fail": "fault not-alive",
        "recover": "idle",
        "occupy": "in use pe0-3, in use pe4-7",
        "release": "idle",
        "remove": "removed",
        "add": "idle",
    }
    for command, state in commands.items():
        assert main([command, sim, uuid]) == 0
        assert capsys.readouterr().out == f"npu0 renegade {uuid} 0000:02:00.0: {state}\n"
    assert main(["fail", sim, uuid, "temperature=99"]) == 0
    assert main(["fail", sim, uuid, "missing=dev"]) == 0
    assert main(["recover", sim, uuid, "missing"]) == 0
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "fault temperature=99",
        "fault missing=dev, fault temperature=99",
        "fault temperature=99",
    ]
    assert main(["recover", sim, uuid]) == 0
    capsys.readouterr()
    assert main(["occupy", sim, uuid, "0-1", "7"]) == 0
    assert main(["release", sim, uuid, "7"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith(": in use pe0-1")


def test_the_driver_can_be_unloaded_and_loaded(sim: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both families' or one's."""
    capsys.readouterr()
    assert main(["driver", sim, "unload", "--family", "renegade"]) == 0
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()] == ["idle", "driver unloaded"]
    assert sorted(os.listdir(f"{sim}/sys/bus/pci/devices")) == ["0000:01:00.0", "0000:02:00.0"]
    assert not os.path.exists(f"{sim}/dev/rngd")
    assert main(["driver", sim, "load"]) == 0
    assert os.path.exists(f"{sim}/dev/rngd/npu0pe0")


def test_a_card_with_another_number_or_another_card_is_shown_as_it_is_now(
    sim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By whatever it was called before."""
    old = Simulation.open(sim).state().cards[1].card.uuid
    new = "a76aad68-6855-40b1-9e86-d080852d1c84"
    capsys.readouterr()
    assert main(["renumber", sim, old, "5"]) == 0
    assert main(["replace", sim, old, "--uuid", new]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"npu5 renegade {old} 0000:02:00.0: idle",
        f"npu5 renegade {new} 0000:02:00.0: idle",
    ]


def test_help_lists_every_fault_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the whole command, of fail and of recover."""
    for words in (["--help"], ["fail", "--help"], ["recover", "--help"]):
        assert _exit_code(*words) == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert [f"{kind.usage} {kind.what}" for kind in KINDS if f"{kind.usage} {kind.what}" not in lines] == []


def test_new_cards_are_added_from_a_scenario(sim: str, scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They count on from those that are there."""
    capsys.readouterr()
    assert main(["add", sim, "--scenario", scenario]) == 0
    assert [line.split(" ")[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["npu1", "warboy"],
        ["npu1", "renegade"],
    ]
    assert os.path.exists(f"{sim}/dev/npu1pe0-1")


@pytest.mark.parametrize("before", [True, False])
def test_roots_are_taken_before_and_after_the_subcommand(tmp_path: Path, scenario: str, before: bool) -> None:
    """Both places mean the same."""
    roots = ["--devfs-root", f"{tmp_path}/d", "--sysfs-root", f"{tmp_path}/s"]
    command = ["create", f"{tmp_path}/sim", scenario, "--plain-files"]
    assert main([*roots, *command] if before else [*command, *roots]) == 0
    assert (os.path.exists(f"{tmp_path}/d/npu0"), os.path.exists(f"{tmp_path}/s/class")) == (True, True)
    assert not os.path.exists(f"{tmp_path}/sim/dev")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fail", "SIM", "npu0"], 2, "NPU: found 'npu0', which 2 cards are called"),
        (["fail", "SIM", "npu9"], 2, "NPU: found 'npu9', expected the UUID"),
        (["occupy", "SIM", "0000:01:00.0", "5"], 2, "PE: found '5', expected one of pe0, pe1, pe0-1 (warboy)"),
        (["fail", "SIM", "0000:01:00.0", "lost"], 2, "FAULT: found 'lost', expected one of not-alive, errors, heartb"),
        (["fail", "SIM", "0000:01:00.0", "throttling"], 1, "npu0: Warboy's driver shows no throttling"),
        (["renumber", "SIM", "0000:01:00.0", "256"], 2, "INDEX: found the integer 256, expected an integer from 0"),
        (["replace", "SIM", "0000:01:00.0", "--uuid", "x"], 2, "UUID: found the text 'x', expected 8-4-4-4-12"),
        (["fail", "SIM"], 2, "the following arguments are required: NPU"),
        (["add", "SIM"], 2, "one of the arguments NPU --scenario is required"),
        ([], 2, "the following arguments are required: COMMAND"),
        (["create", "SIM", "/nowhere.yaml"], 2, "/nowhere.yaml: found No such file or directory, expected YAML text"),
        (["fail", "/nowhere", "npu0"], 2, "/nowhere/state.json: not there; make the simulation with create first"),
        (["create", "SIM/state.json", "SCENARIO"], 1, "state.json: File exists"),
        (["create", "SIM", "SCENARIO", "--devfs-root", "/dev"], 2, "/dev: is the machine's own /dev"),
        (["create", "SIM", "BROKEN"], 2, "cards[0].family: found the text 'npu', expected one of warboy, renegade"),
        (["create", "SIM", "BINARY"], 2, "found a byte that is no UTF-8 at 0, expected YAML text"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    sim: str, scenario: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    """2 for wrong use, 1 for a failure at work; never a traceback."""
    Path(f"{sim}/broken.yaml").write_text("cards: [{family: npu}]")
    Path(f"{sim}/binary.yaml").write_bytes(b"\xff\x00")
    places = {"SIM": sim, "SCENARIO": scenario, "BROKEN": f"{sim}/broken.yaml", "BINARY": f"{sim}/binary.yaml"}
    capsys.readouterr()
    assert _exit_code(*(places.get(word, word.replace("SIM/", f"{sim}/")) for word in arguments)) == code
    written = capsys.readouterr()
    assert message in written.err
    assert written.out == ""


def test_help_and_version_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Everywhere, with exit code 0."""
    assert _exit_code("--version") == 0
    assert capsys.readouterr().out == f"furiosa-npu-simulator {__version__}\n"
    for command in (
        "create",
        "run",
        "fail",
        "recover",
        "remove",
        "add",
        "renumber",
        "replace",
        "occupy",
        "release",
        "driver",
    ):
        assert _exit_code(command, "--version") == 0
        assert capsys.readouterr().out == f"furiosa-npu-simulator {__version__}\n"
        assert _exit_code(command, "--help") == 0
        assert capsys.readouterr().out.startswith(f"usage: furiosa-npu-simulator {command} ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_ends_when_told_with_exit_code_0(sim: str, number: signal.Signals) -> None:
    """It says that it runs, lets nobody else run, and leaves at once."""
    command = [sys.executable, "-m", "furiosa_npu.simulator", "run", sim]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == f"{sim}: running until SIGTERM or Ctrl-C\n"
        assert main(["run", sim]) == 1
        run.send_signal(number)
        assert run.wait(timeout=30) == 0


def test_a_live_run_takes_up_cards_that_commands_bring(sim: str, scenario: str) -> None:
    """A card added while it runs gets a heartbeat, and the counters of a card occupied meanwhile move."""
    heartbeat = Path(sim, "sys/class/npu_mgmt/npu1_mgmt/heartbeat")
    command = [sys.executable, "-m", "furiosa_npu.simulator", "run", sim]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        run.stdout.readline()
        assert main(["occupy", sim, "0000:01:00.0"]) == 0
        assert main(["add", sim, "--scenario", scenario]) == 0
        _wait_for(lambda: heartbeat.read_text() not in ("0\n", ""))
        run.terminate()
        assert run.wait(timeout=30) == 0
    state = Simulation.open(sim).state()
    assert state.cards[0].holds[0].seconds > 0
    assert [card.card for card in state.cards][:2] == list(parse_scenario(Path(scenario).read_text()))


def test_a_live_run_shows_what_was_written_as_the_driver_does(sim: str) -> None:
    """As soon as the file is closed, not a second later: whoever sets a mode reads it back at once."""
    mode = Path(sim, "sys/class/npu_mgmt/npu0_mgmt/performance_mode")
    command = [sys.executable, "-m", "furiosa_npu.simulator", "run", sim]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        run.stdout.readline()
        for written, shown in (("1", "1 (HALF)\n"), ("3\n", "3 (NORMAL 2)\n"), ("0", "0 (LOW)\n")):
            mode.write_text(written)
            _wait_for(lambda shown=shown: mode.read_text() == shown)  # type: ignore[misc]
        run.terminate()
        assert run.wait(timeout=30) == 0


def _wait_for(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"did not hold within {seconds} s"
        time.sleep(0.02)
