"""What is checked, in which order, and what of the machine each stage needs."""

from pathlib import Path
from typing import NamedTuple

from scripts.checks.preparation import CHECKOUT

_CODE = ("src", "tests", "scripts", "static", "image", "benchmarks", "monitoring")
_CLUSTER_PACKAGES = CHECKOUT / "tests/cluster/apt-packages.txt"


class Stage(NamedTuple):
    """One part of the checks: programs to run one after the other, or a folder of tests."""

    name: str
    what: str
    """a line of `--help`"""
    deadline_seconds: int
    """after which it is ended and counts as failed: a hang, not a slow machine"""
    commands: tuple[tuple[str, ...], ...] = ()
    """programs of the virtual environment and their arguments"""
    tests: str | None = None
    """a folder for pytest"""
    workers: int = 0
    """processes that share its tests (pytest-xdist)"""
    needs_root: bool = False
    """also Debian 12 and the right to make namespaces"""
    packages: tuple[str, ...] = ()
    """Debian packages beside those of every machine"""


def _listed(file: Path) -> tuple[str, ...]:
    """Package names, one a line; what follows a # is for people."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return tuple(line for line in lines if line)


STAGES = (
    Stage(
        "lint",
        "ruff, mypy --strict, and the walls between rooms",
        900,
        commands=(
            ("ruff", "check"),
            ("ruff", "format", "--check"),
            ("mypy", *_CODE),
            ("lint-imports",),
        ),
    ),
    Stage("unit", "pure parts, with property tests", 1800, tests="tests/unit", workers=2),
    Stage("protocol", "real gRPC and HTTP over sockets", 1800, tests="tests/protocol", workers=2),
    Stage("docs", "what the documents say is done and compared", 1800, tests="tests/docs"),
    Stage(
        "static",
        "furiosactl as one static file, in an empty chroot (root)",
        900,
        tests="tests/static",
        needs_root=True,
        packages=("busybox-static", "gcc", "libc6-dev", "libexpat1-dev", "libpython3.11-dev", "zlib1g-dev"),
    ),
    Stage(
        "fuse",
        "system calls on simulated NPUs fail and hang, through FUSE (root)",
        600,
        tests="tests/fuse",
        needs_root=True,
        packages=("fuse3",),
    ),
    Stage(
        "promtool",
        "a real Prometheus has the agents' metrics: its linter, alerts, dashboard (root)",
        600,
        tests="tests/promtool",
        needs_root=True,
        packages=("prometheus",),
    ),
    Stage("vendor", "the vendor's furiosa-smi reads simulated NPUs (root)", 600, tests="tests/vendor", needs_root=True),
    Stage(
        "helm",
        "Helm renders the chart: the plain manifests and what values change (root)",
        3600,
        tests="tests/helm",
        needs_root=True,
        packages=("ca-certificates", "golang-1.19-go"),
    ),
    Stage(
        "cluster",
        "a real Kubernetes with three nodes, 1.20.2 and 1.37.2 (root)",
        10800,
        tests="tests/cluster",
        workers=2,
        needs_root=True,
        packages=_listed(_CLUSTER_PACKAGES),
    ),
)


def chosen(names: list[str]) -> tuple[Stage, ...]:
    """The stages of these names in their own order; all where none is named. Raises KeyError for an unknown name."""
    known = {stage.name for stage in STAGES}
    for name in names:
        if name not in known:
            raise KeyError(name)
    return tuple(stage for stage in STAGES if not names or stage.name in names)


def commands_of(stage: Stage, programs: Path, junit: Path) -> tuple[tuple[str, ...], ...]:
    """The whole command lines; tests write their counts to `junit`."""
    if stage.tests is None:
        return tuple((str(programs / command[0]), *command[1:]) for command in stage.commands)
    # a line a test where each takes long
    verbosity = "--verbose" if stage.name == "cluster" else "--quiet"
    shared = (f"--numprocesses={stage.workers}",) if stage.workers else ()
    return ((str(programs / "python"), "-m", "pytest", verbosity, f"--junit-xml={junit}", *shared, stage.tests),)
