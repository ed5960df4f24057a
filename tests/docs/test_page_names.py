"""What the documents name is there: events, metrics, options with their values, paths, files of the repository."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from furiosa_npu.agent.command_line import SettingsError, parse_command_line
from furiosa_npu.cdi_command.settings import PROGRAM as CDI
from furiosa_npu.chart_hooks.settings import PROGRAM as HOOK
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.health.signs import SIGNS
from furiosa_npu.health.verdict import State
from furiosa_npu.node_labeller.settings import PROGRAM as LABELLER
from tests.cluster.simulation import FOLDER
from tests.docs.markdown import ENGLISH, KOREAN, REPOSITORY, spans
from tests.docs.simulator import command_rows
from tests.docs.test_monitoring import unknown

DOCS, SOURCE = REPOSITORY / "docs", REPOSITORY / "src/furiosa_npu"
PAGES = [ENGLISH, KOREAN, *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("ko/*.md"))]
PROGRAMS = (PLUGIN, DRA_DRIVER, LABELLER, CDI, HOOK)
CODE = "\n".join(path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py")))
OF_OTHERS = {
    "of furiosactl": {"--format", "--full"},
    "of the tests and benchmarks": {"--faults", "--idle-minutes", "--judge", "--kubernetes-version", "--onto"}
    | {"--plane", "--product", "--seconds", "--seed"},
    "of the vendor's agents": {"--disabled-devices", "--interval"},
    "of helm": {
        "--api-versions",
        "--kube-version",
        "--create-namespace",
        "--force-conflicts",
        "--install",
        "--namespace",
        "--no-hooks",
        "--reset-then-reuse-values",
        "--set",
        "--take-ownership",
    }
    | {"--wait"},
    "of kubectl": {"--all", "--delete-emptydir-data", "--field-selector", "--force", "--ignore-daemonsets"}
    | {"--ignore-not-found", "--overwrite", "--patch-file", "--selector", "--show-labels", "--type"},
    "of buildah and podman": {"--build-arg", "--device", "--env", "--name", "--rm"},
    "of autoscalers": {"--startup-taint"},
    "of ruff": {"--check"},
}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())


@every_page
def test_an_event_of_a_page_is_one_that_agents_write(page: Path) -> None:
    """Its reason: of a state, of a warning sign, or as it stands in the code."""
    warnings = {one.name.title().replace("-", "") for one in SIGNS if one.severity == "warning"}
    written = {f"NPU{name}" for name in warnings | {state.capitalize() for state in get_args(State)}}
    written |= set(re.findall(r'"(NPUs?[A-Z]\w+)"', CODE))
    assert set(re.findall(r"\bNPUs?[A-Z][a-z]\w*", page.read_text(encoding="utf-8"), re.ASCII)) - written == set()


@every_page
def test_a_metric_of_a_page_is_one_that_agents_show(page: Path) -> None:
    """By name."""
    assert unknown(page.read_text(encoding="utf-8")) == set()


@every_page
def test_an_option_of_a_page_is_one_of_a_program(page: Path) -> None:
    """Ours, the simulator's, or one of another program that is listed above."""
    ours = {f"--{option.name}" for program in PROGRAMS for option in program.options}
    ours |= {"--config", "--help", "--version", *re.findall(r"--[a-z-]+", str(command_rows()))}
    assert options_in(page) - ours - set().union(*OF_OTHERS.values()) == set()


def options_in(page: Path) -> set[str]:
    """But the arrows of a diagram."""
    told = [span for span in spans(page) if "-->" not in span]
    return {name for span in told for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", span)}


def test_no_option_of_another_program_is_listed_for_nothing() -> None:
    """Some page names it."""
    assert set().union(*OF_OTHERS.values()) - set().union(*map(options_in, PAGES)) == set()


@every_page
def test_a_value_of_an_option_is_one_that_an_agent_takes(page: Path) -> None:
    """But where a word in capitals stands for it, and where it is no agent's option."""
    refused = []
    for span in spans(page):
        named = re.fullmatch(r"--([a-z-]+)[= ](\S+)", span)
        takers = [program for program in PROGRAMS if named and named[1] in {option.name for option in program.options}]
        if takers and not re.search(r"\b[A-Z]{3,}\b", span):
            refused += [span] if not any(takes(program, span) for program in takers) else []
    assert refused == []


def takes(program: object, span: str) -> bool:
    try:
        parse_command_line(program, tuple(span.split(" ")))  # type: ignore[arg-type]
    except SettingsError:
        return False
    return True


@every_page
def test_a_folder_of_a_page_is_one_that_the_code_or_the_image_names(page: Path) -> None:
    """A default, a folder above one, or a file in one whose name stands in the code."""
    defaults = {str(option.default) for program in PROGRAMS for option in program.options} | {FOLDER, "/etc/cdi"}
    told = {path for span in spans(page) for path in re.findall(r"(?<![\w.<}])/(?:var|run|etc)(?:/[\w.-]+)+", span)}
    missing = {path for path in told if not any(is_of(path, default) for default in defaults)}
    assert missing - {"/etc/os-release", "/var/lib/dpkg/status.d", "/etc/fuse.conf"} == set()


def is_of(path: str, default: str) -> bool:
    below = path.removeprefix(f"{default}/")
    in_it = below != path and re.search(rf"[\"/]{below}[\"/]", CODE) is not None
    return default == path or default.startswith(f"{path}/") or in_it


@every_page
def test_a_file_of_the_repository_that_a_page_names_is_there(page: Path) -> None:
    """From the top, or from the package: `hardware/memory.py`."""
    assert [name for name in files_in(page) if not any((top / name).exists() for top in (REPOSITORY, SOURCE))] == []


def files_in(page: Path) -> Iterator[str]:
    top = "benchmarks|docs|examples|image|kubernetes|monitoring|scripts|src|static|tests"
    for span in spans(page):
        yield from re.findall(rf"(?<![\w./-])(?:{top})/[\w./-]+", span)
        yield from re.findall(r"^\w+/\w+\.py$", span)
