"""Every command of docs/*.md is run by a test, which run_by.py names; or it says why by none."""

import ast
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from scripts.checks import bench, bench_scale

from tests.cluster import __main__ as cluster
from tests.cluster import pages, picture
from tests.cluster.chaos import __main__ as chaos
from tests.docs.markdown import REPOSITORY, commands, shown
from tests.docs.run_by import AS_IT_STANDS, BY_HAND, FROM_ITS_PAGE, IN_OTHER_WORDS
from tests.docs.test_readme_commands import RUN_BY as OF_THE_READMES

PAGES = sorted((REPOSITORY / "docs").glob("*.md"))
SHOWN = {command for page in PAGES for command in shown(page)}
TESTS = "pytest tests/cluster --kubernetes-version 1.37.2"
PARSERS: dict[str, Callable[[list[str]], object]] = {
    "tests.cluster": cluster.options_of,
    "tests.cluster.chaos": chaos.options_of,
    "tests.cluster.picture": picture.options_of,
}


def typed(place: str) -> list[str]:
    """The commands of the constants that are a function's."""
    values = [getattr(pages, name) for name in AS_IT_STANDS[place]]
    return [command for value in values for command in ([value] if isinstance(value, str) else value)]


def function_of(place: str) -> tuple[str, ast.AST]:
    """Its source, and its tree; of a file, where no function is named, all."""
    name, _, function = place.partition("::")
    text = (REPOSITORY / name).read_text()
    tree: Any = ast.parse(text)
    if function:
        (tree,) = (one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef) and one.name == function)
        text = ast.get_source_segment(text, tree) or ""
    return text, tree


def test_every_command_of_a_page_has_its_place() -> None:
    """One that is new in a page, or gone from all, wants a line in run_by.py."""
    as_they_stand = {command for place in AS_IT_STANDS for command in typed(place)}
    from_pages = {command for page in FROM_ITS_PAGE for command in commands(REPOSITORY / page)}
    placed = {TESTS} | as_they_stand | from_pages | IN_OTHER_WORDS.keys() | BY_HAND.keys()
    assert sorted(SHOWN - placed - OF_THE_READMES.keys()) == []
    assert sorted(placed - SHOWN) == []


@pytest.mark.parametrize("place", AS_IT_STANDS)
def test_a_function_types_the_commands_of_its_constants(place: str) -> None:
    """It, or how it is parametrized, names them."""
    _, function = function_of(place)
    assert set(AS_IT_STANDS[place]) <= {one.id for one in ast.walk(function) if isinstance(one, ast.Name)}


@pytest.mark.parametrize(("page", "place"), FROM_ITS_PAGE.items())
def test_a_function_reads_the_commands_of_its_page(page: str, place: str) -> None:
    """The function is there, and its file names the page."""
    function_of(place)
    assert f'"{page}"' in (REPOSITORY / place.partition("::")[0]).read_text()


@pytest.mark.parametrize(("place", "words"), IN_OTHER_WORDS.values())
def test_a_function_does_in_other_words_what_a_command_does(place: str, words: str) -> None:
    """They stand in its source."""
    assert words in function_of(place)[0]


@pytest.mark.parametrize("command", sorted(command for command in SHOWN if command.startswith("python -m ")))
def test_a_command_of_the_repository_is_one(command: str) -> None:
    """The module is there, and takes these arguments where they are many."""
    _, _, module, *arguments = shlex.split(command)
    assert find_spec(module) is not None
    if module in PARSERS:
        PARSERS[module](arguments)


@pytest.mark.parametrize("command", sorted(command for command in BY_HAND if command.startswith("scripts/bench")))
def test_a_benchmark_is_one(command: str) -> None:
    """By its arguments."""
    _, *arguments = shlex.split(command)
    assert bench_scale.nodes(arguments[1:]) if arguments[:1] == ["scale"] else bench.asked(arguments)


def test_the_tests_of_one_release_are_found() -> None:
    """Collected, not run."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", f"{TESTS} --collect-only --quiet"],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
