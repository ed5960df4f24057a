"""docs/health.md says which signs there are, and how they are set."""

import re
from typing import get_args

from furiosa_npu.agent.config_file import read_config
from furiosa_npu.device_plugin.settings import PROGRAM
from furiosa_npu.health.verdict import State
from tests.docs.health import DOCUMENT, rendered
from tests.docs.markdown import blocks, code, tables


def test_the_table_of_signs_is_the_codes() -> None:
    """Name, severity, bound, unit and meaning; `python -m tests.docs.health` writes the rows anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rendered(document)


def test_the_states_are_the_codes() -> None:
    """All of them, each once."""
    (states,) = (table for table in tables(DOCUMENT) if table[0][0] == "State")
    assert sorted(code(row[0])[0] for row in states[1:]) == sorted(get_args(State))


def test_the_example_is_one_that_the_plugin_takes() -> None:
    """In the configuration file."""
    (example,) = (block.text for block in blocks(DOCUMENT) if block.language == "yaml")
    assert read_config(example, PROGRAM.options) == {"sign": ("temperature=90", "throttling=off")}


def test_the_defaults_that_the_text_names_are_the_options() -> None:
    """`--probation-seconds` (1) and the like."""
    text = DOCUMENT.read_text(encoding="utf-8")
    named = dict(re.findall(r"`--([a-z-]+)` \((\d+)\)", text))
    defaults = {option.name: str(option.default) for option in PROGRAM.options}
    assert named
    assert named == {name: defaults[name] for name in named}
