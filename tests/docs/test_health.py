"""docs/health.md says which signs there are, and how they are set."""

import re
from typing import get_args

import pytest

from furiosa_npu.agent.config_file import read_config
from furiosa_npu.device_plugin.settings import PROGRAM
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.reports import CardReport, condition, news
from tests.docs.health import DOCUMENT, rendered
from tests.docs.markdown import blocks, code, tables

(STATES,) = (table[1:] for table in tables(DOCUMENT) if table[0][0] == "State")


def test_the_table_of_signs_is_the_codes() -> None:
    """Name, severity, bound, unit and meaning; `python -m tests.docs.health` writes the rows anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rendered(document)


def test_the_states_are_the_codes() -> None:
    """All of them, each once."""
    assert sorted(code(row[0])[0] for row in STATES) == sorted(get_args(State))


@pytest.mark.parametrize("row", STATES, ids=lambda row: code(row[0])[0])
def test_what_the_node_says_of_each_state_is_the_codes(row: list[str]) -> None:
    """The event that the card's coming to it brings, and what the condition makes of it: its status, and its name."""
    (name,), _, _, event, said = code(row[0]), *row[1:]
    state = next(state for state in get_args(State) if state == name)
    card = CardReport("U0", "npu0", "warboy", state, "not-alive", "the reason", (), ())
    before = card._replace(state="failed") if "where it was bad" in event else card._replace(state="idle")
    told, _ = news(None, [before], "n1")
    assert [one.reason for one in news(told, [card], "n1")[1]] == code(event)
    of_node = condition([card])
    assert of_node.status == (code(said) or ["True"])[0]
    assert ("npu0" in of_node.message) == ("names the card" in said or of_node.status == "False")
    undecided = card._replace(sign="second-reading")
    if "half there" in event:
        assert (news(told, [undecided], "n1")[1], condition([undecided]).status) == ((), "True")


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
