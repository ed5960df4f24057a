"""Scripts: what a user may say, how a mistake is told, and that each step happens at its time."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.simulator import ScenarioError, Simulation, parse_scenario
from furiosa_npu.simulator.__main__ import main
from furiosa_npu.simulator.faults import Fault
from furiosa_npu.simulator.script import Step, StepError, parse_script, play

SAMPLES = Path(__file__).parents[2] / "examples" / "scripts"
TWO = "cards: [{family: warboy}, {family: warboy}]"
UUID = "a76aad68-6855-40b1-9e86-d080852d1c84"


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation.create(f"{tmp_path}/sim", parse_scenario(TWO), plain_files=True)


def test_each_command_arrives_with_what_it_takes() -> None:
    """Fields that are left out have the command's own defaults."""
    text = f"""
- {{at: 0, do: fail, npu: npu0}}
- {{at: 0, do: fail, npu: npu0, fault: temperature=95}}
- {{at: 0.5, do: recover, npu: npu0, fault: temperature}}
- {{at: 1, do: occupy, npu: 0000:01:00.0, pes: ["0", pe1]}}
- {{at: 1, do: release, npu: npu0}}
- {{at: 2, do: remove, npu: npu0}}
- {{at: 2, do: add, npu: npu0}}
- {{at: 3, do: renumber, npu: npu0, index: 5}}
- {{at: 3, do: replace, npu: npu5, uuid: {UUID}}}
- {{at: 4, do: driver, action: unload, family: renegade}}
- {{at: 4, do: driver, action: load}}
"""
    assert parse_script(text, "s") == (
        Step("s: [0]", 0, "fail", "npu0"),
        Step("s: [1]", 0, "fail", "npu0", fault="temperature=95"),
        Step("s: [2]", 0.5, "recover", "npu0", fault="temperature"),
        Step("s: [3]", 1, "occupy", "0000:01:00.0", pes=("0", "pe1")),
        Step("s: [4]", 1, "release", "npu0"),
        Step("s: [5]", 2, "remove", "npu0"),
        Step("s: [6]", 2, "add", "npu0"),
        Step("s: [7]", 3, "renumber", "npu0", number=5),
        Step("s: [8]", 3, "replace", "npu5", uuid=UUID),
        Step("s: [9]", 4, "driver", action="unload", families=("renegade",)),
        Step("s: [10]", 4, "driver", action="load", families=FAMILIES),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "s: found nothing, expected a list of one step or more"),
        ("[]", "s: found a list [], expected a list of one step or more"),
        ("do: fail", "s: found a mapping {'do': 'fail'}, expected a list of one step or more"),
        ("- fail", "s: [0]: found the text 'fail', expected a mapping of at, do and what the command takes"),
        ("- {at: 1}", "s: [0].do: found nothing, expected one of fail, recover, remove, add, renumber"),
        ("- {at: 1, do: [fail]}", "s: [0].do: found a list ['fail'], expected one of fail"),
        ("- {at: 1, do: explode, npu: npu0}", "s: [0].do: found the text 'explode', expected one of fail"),
        ("- {do: add, npu: npu0}", "s: [0].at: found nothing, expected for add a value"),
        ("- {at: 1, do: add}", "s: [0].npu: found nothing, expected for add a value"),
        ("- {at: 1, do: renumber, npu: npu0}", "s: [0].index: found nothing, expected for renumber a value"),
        ("- {at: 1, do: add, npu: n, fault: errors}", "s: [0].fault: found an unknown key, expected for add one of at"),
        ("- {at: -1, do: add, npu: n}", "s: [0].at: found the integer -1, expected seconds from the start, 0 or more"),
        ("- {at: .inf, do: add, npu: n}", "s: [0].at: found the number inf, expected seconds from the start"),
        ("- {at: soon, do: add, npu: n}", "s: [0].at: found the text 'soon', expected seconds from the start"),
        ("- {at: true, do: add, npu: n}", "s: [0].at: found the truth value true, expected seconds from the start"),
        ("- {at: 1, do: add, npu: 0}", "s: [0].npu: found the integer 0, expected the UUID, the PCI address or"),
        ("- {at: 1, do: fail, npu: n, fault: lost}", "s: [0].fault: found the text 'lost', expected one of not-alive"),
        ("- {at: 1, do: occupy, npu: n, pes: 0}", "s: [0].pes: found the integer 0, expected a list of PEs as text"),
        ("- {at: 1, do: occupy, npu: n, pes: [0]}", "s: [0].pes: found a list [0], expected a list of PEs as text"),
        ("- {at: 1, do: renumber, npu: n, index: 256}", "s: [0].index: found the integer 256, expected an integer fr"),
        ("- {at: 1, do: replace, npu: n, uuid: x}", "s: [0].uuid: found the text 'x', expected a UUID"),
        ("- {at: 1, do: driver, action: stop}", "s: [0].action: found the text 'stop', expected load or unload"),
        ("- {at: 1, do: driver, action: load, family: x}", "s: [0].family: found the text 'x', expected one of warb"),
        (
            "[{at: 2, do: add, npu: n}, {at: 1.5, do: add, npu: n}]",
            "s: [1].at: found the number 1.5, expected not before the step above, at 2",
        ),
        ("- {at: 1, at: 2}", "s: line 1, column 11: found a key that stands twice"),
    ],
)
def test_a_mistake_names_the_field_what_was_found_and_what_was_expected(text: str, message: str) -> None:
    """One error, of one line, that a user can act on; nothing has happened yet."""
    with pytest.raises(ScenarioError) as caught:
        parse_script(text, "s")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_steps_or_one_error(text: str) -> None:
    """Nothing that a file may hold ends in a traceback."""
    for whole in (text, f"- {{at: 1, do: fail, npu: npu0, fault: {text}}}", f"- {{at: {text}, do: add, npu: npu0}}"):
        try:
            steps = parse_script(whole)
        except ScenarioError as error:
            assert "found" in str(error)  # noqa: PT017  (either outcome is right)
        else:
            assert steps
            assert all(isinstance(step, Step) for step in steps)


_KEYS = st.sampled_from(["at", "do", "npu", "fault", "pes", "index", "uuid", "action", "family", "else"])
_VALUES = st.none() | st.booleans() | st.integers(-1, 300) | st.floats() | st.text(max_size=5) | st.just("npu0")
_COMMANDS = st.sampled_from(["fail", "recover", "add", "renumber", "replace", "occupy", "driver", "load", "errors"])


@given(st.lists(st.dictionaries(_KEYS, _VALUES | _COMMANDS | st.lists(_VALUES, max_size=2)), min_size=1, max_size=3))
def test_steps_of_any_fields_are_taken_whole_or_refused(entries: list[dict[str, object]]) -> None:
    """Each step that is taken stands in order of time and says its command's own fields."""
    try:
        steps = parse_script(_yaml(entries))
    except ScenarioError as error:
        assert "expected" in str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert [step.do for step in steps] == [entry["do"] for entry in entries]
        assert [step.at for step in steps] == sorted(step.at for step in steps)


def _yaml(value: object) -> str:
    """In flow style, texts quoted: what the strict reader takes back as it was."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_yaml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
        case float():
            return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(str(value), str(value))
        case str():
            return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return str(value)


class _Time:
    """A clock that stands still but for waits."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._stop_after = stop_after

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now += seconds
        return len(self.waits) == self._stop_after


SCRIPT = """
- {at: 0, do: fail, npu: npu0, fault: errors}
- {at: 2.5, do: fail, npu: npu1}
- {at: 2.5, do: recover, npu: npu0}
- {at: 60, do: remove, npu: npu1}
"""


def test_steps_happen_at_their_times_and_are_told(simulation: Simulation) -> None:
    """Each wait is what is left until the next step; what is done is seen on the living tree."""
    time = _Time()
    told: list[tuple[float, str, list[tuple[Fault, ...]]]] = []

    def done(step: Step) -> None:
        told.append((time.now - 1000, str(step), [card.faults for card in simulation.state().cards]))

    play(simulation, parse_script(SCRIPT), time.wait, time.clock, done)
    assert time.waits == [0, 2.5, 0, 57.5]
    assert told == [
        (0, "0 s: fail npu0 errors", [(Fault("errors"),), ()]),
        (2.5, "2.5 s: fail npu1", [(Fault("errors"),), (Fault("not-alive"),)]),
        (2.5, "2.5 s: recover npu0", [(), (Fault("not-alive"),)]),
        (60, "60 s: remove npu1", [(), (Fault("not-alive"),)]),
    ]


def test_a_step_that_is_late_makes_no_later_one_late(simulation: Simulation) -> None:
    """Times count from the start; the next wait is the shorter for what a step took."""
    time = _Time()
    instants: Iterator[float] = iter([0.0, 0.0, 4.0, 4.0, 4.0])
    play(simulation, parse_script(SCRIPT), time.wait, lambda: next(instants), lambda _: None)
    assert time.waits == [0.0, 0.0, 0.0, 56.0]


def test_a_script_that_is_told_to_stop_does_no_more(simulation: Simulation) -> None:
    """What comes after the wait in which it was told does not happen."""
    time = _Time(stop_after=2)
    told: list[str] = []
    play(simulation, parse_script(SCRIPT), time.wait, time.clock, lambda step: told.append(str(step)))
    assert told == ["0 s: fail npu0 errors"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("do: fail, npu: npu7", "s: [0] (0 s: fail npu7): NPU: found 'npu7', expected"),
        ("do: fail, npu: npu0, fault: missing=x", "s: [0] (0 s: fail npu0 missing=x): FAULT: found 'missing=x', exp"),
        ("do: renumber, npu: npu0, index: 1", "s: [0] (0 s: renumber npu0 1): npu1 (warboy): is another card"),
        ("do: occupy, npu: npu0, pes: ['7']", "s: [0] (0 s: occupy npu0 7): PE: found '7', expected one of pe0"),
    ],
)
def test_a_step_that_cannot_be_done_ends_the_script(simulation: Simulation, step: str, message: str) -> None:
    """The error says which step it was."""
    time = _Time()
    steps = parse_script(f"[{{at: 0, {step}}}, {{at: 0, do: fail, npu: npu0}}]", "s")
    with pytest.raises(StepError) as caught:
        play(simulation, steps, time.wait, time.clock, lambda _: None)
    assert str(caught.value).startswith(message)
    assert simulation.state().cards[0].faults == ()


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir()))
def test_each_sample_plays_to_its_end(simulation: Simulation, sample: str) -> None:
    """examples/scripts holds scripts and nothing else, for two cards of one family."""
    steps = parse_script((SAMPLES / sample).read_text(), sample)
    told: list[Step] = []
    time = _Time()
    play(simulation, steps, time.wait, time.clock, told.append)
    assert tuple(told) == steps
    state = simulation.state()
    assert [(card.faults, card.holds, card.present) for card in state.cards] == [((), (), True)] * 2
    assert state.unloaded == ()


def test_the_command_prints_a_line_a_step(simulation: Simulation, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 0 after the last; 2 for a script that is none, 1 for a step that cannot be done."""
    script = Path(simulation.folder, "script.yaml")
    outcomes = []
    for steps in ("[{at: 0, do: fail, npu: npu0}]", "[{at: 0}]", "[{at: 0, do: add, npu: npu9}]"):
        script.write_text(steps)
        outcomes.append((_exit_code("play", simulation.folder, str(script)), capsys.readouterr().out))
    assert outcomes == [(0, "0 s: fail npu0\n"), (2, ""), (1, "")]


def _exit_code(*words: str) -> int:
    command = [sys.executable, "-m", "furiosa_npu.simulator", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    return done.returncode


def test_sigterm_ends_a_script_at_once(simulation: Simulation) -> None:
    """Beside a run of the same simulation, in the middle of a wait of an hour, with exit code 0."""
    script = Path(simulation.folder, "script.yaml")
    script.write_text("[{at: 0, do: fail, npu: npu0}, {at: 3600, do: recover, npu: npu0}]")
    program = [sys.executable, "-m", "furiosa_npu.simulator"]
    with (
        subprocess.Popen([*program, "run", simulation.folder], stdout=subprocess.PIPE, text=True) as run,
        subprocess.Popen([*program, "play", simulation.folder, script], stdout=subprocess.PIPE, text=True) as played,
    ):
        assert run.stdout is not None
        assert played.stdout is not None
        run.stdout.readline()
        assert played.stdout.readline() == "0 s: fail npu0\n"
        played.send_signal(signal.SIGTERM)
        assert played.wait(timeout=30) == 0
        run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=30) == 0
    assert main(["recover", simulation.folder, "npu0", "not-alive"]) == 0
