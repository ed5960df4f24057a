"""docs/simulator.md says what the simulator takes and shows."""

import re

from furiosa_npu.simulator.faults import KINDS
from furiosa_npu.simulator.mount import HUNG_CALLS
from furiosa_npu.simulator.script import FIELDS, parse_script
from tests.docs.simulator import DOCUMENT, rendered


def test_the_tables_are_the_codes() -> None:
    """Commands and faults; `python -m tests.docs.simulator` writes the rows anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rendered(document)
    for kind in KINDS:
        assert f"| `{kind.usage}` |" in document


def test_the_example_script_is_one() -> None:
    """Each step of a command that the text beside it names."""
    document = DOCUMENT.read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", document, re.DOTALL)
    assert example is not None
    assert [step.do for step in parse_script(example[1])] == ["occupy", "fail", "recover", "renumber", "driver"]
    said = re.search(r"`do` is one of (.*?), with what the command takes as (.*?)\.", document, re.DOTALL)
    assert said is not None
    commands, fields = (re.findall(r"`(\w+)`", words) for words in said.groups())
    assert commands == list(FIELDS)
    assert set(fields) == {field.removesuffix("?") for of_one in FIELDS.values() for field in of_one}


def test_the_bound_of_hung_readers_is_the_codes() -> None:
    """Who hangs more at once has to know."""
    assert f"{HUNG_CALLS} at most" in DOCUMENT.read_text(encoding="utf-8")
