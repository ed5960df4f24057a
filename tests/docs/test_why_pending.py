"""docs/why-pending.md, in both languages, says what the agents say."""

from pathlib import Path
from typing import get_args

import pytest

from furiosa_npu.device_plugin.settings import PROGRAM
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.health.signs import SIGNS
from furiosa_npu.health.verdict import State
from furiosa_npu.watch.kubelet_books import PodRef
from furiosa_npu.watch.pages import HEADER
from furiosa_npu.watch.reports import CONDITION, CardReport, condition, final_condition, news
from tests.docs.markdown import ENGLISH, KOREAN, REPOSITORY, blocks, code, commands, tables
from tests.unit.manifests import PLUGIN_SETS, container_of

ENGLISH_PAGE, KOREAN_PAGE = (REPOSITORY / page for page in ("docs/why-pending.md", "docs/ko/why-pending.md"))
both_languages = pytest.mark.parametrize("document", [ENGLISH_PAGE, KOREAN_PAGE], ids=["en", "ko"])
GOOD = CardReport("U0", "npu0", "warboy", "allocated", "", "", (), (PodRef("a", "p", "c"),))


@both_languages
def test_there_are_four_commands(document: Path) -> None:
    """Of kubectl; the plugin's own is one that it has, in the set that is shipped."""
    told = commands(document)
    assert [command.split()[0] for command in told] == ["kubectl"] * 4
    assert "ds/furiosa-npu-plugin" in told[2]
    assert told[2].endswith(f"-- {container_of('furiosa-npu-plugin')['command'][0]} status")
    assert [subcommand.name for subcommand in PROGRAM.subcommands] == ["status"]
    text = document.read_text(encoding="utf-8")
    assert all(f"`ds/{name}`" in text or f"`{name}`" in text for name in PLUGIN_SETS)


@both_languages
def test_the_events_are_those_that_the_code_says(document: Path) -> None:
    """Reason, type, and whether pods are told."""
    states: tuple[State, ...] = get_args(State)
    cards = [GOOD._replace(state=state, sign="x", reason="r") for state in states]
    cards.append(GOOD._replace(warnings=tuple((sign.name, "w") for sign in SIGNS if sign.severity == "warning")))
    said = set()
    for card in cards:
        told, _ = news(None, [GOOD], "n")
        told, events = news(told, [card], "n")
        _, again = news(told, [GOOD], "n")
        said |= {(event.reason, event.type, event.about.kind) for event in (*events, *again)}
    said |= {(event.reason, event.type, event.about.kind) for event in news({}, [GOOD], "n")[1]}
    (table,) = (rows[1:] for rows in tables(document) if rows[0][0] in {"Event", "이벤트"})
    documented = {(code(row[0])[0], row[1], "Node") for row in table}
    documented |= {(code(row[0])[0], row[1], "Pod") for row in table if "pod" in row[2].lower()}
    assert documented == said


@both_languages
def test_the_condition_and_its_reasons_are_the_codes(document: Path) -> None:
    """By name."""
    text = document.read_text(encoding="utf-8")
    last_words = [final_condition(program.name).reason for program in (PROGRAM, DRA_DRIVER)]
    assert all(f"`{word}`" in text for word in (CONDITION, condition(()).reason, *last_words))


@both_languages
def test_the_status_is_as_the_plugin_prints_it(document: Path) -> None:
    """Its header, and as many columns."""
    (block,) = (block.text for block in blocks(document) if not block.language)
    header, *rows = block.splitlines()
    assert tuple(header.split()) == HEADER
    starts = [header.index(name) for name in HEADER]
    for row in rows:
        assert all(row[start - 1] == " " and row[start] != " " for start in starts[1:])


def test_both_readmes_lead_there() -> None:
    """In their lists of documents, each to the page of its language."""
    for readme, page in ((ENGLISH, ENGLISH_PAGE), (KOREAN, KOREAN_PAGE)):
        assert f"({page.relative_to(REPOSITORY)})" in readme.read_text(encoding="utf-8")
