"""Go's tools: Debian's for the tree of 1.20.2, newer ones for the newest module."""

import json
import os
import re
import shutil
from pathlib import Path

from tests.cluster.commands import CommandFailed, run

DEBIANS = "/usr/lib/go-1.19/bin/go"
NEEDED = (1, 26)
"""what the newest Kubernetes module's go.mod asks for"""
TOOLCHAIN = "1.26.8"
"""what is fetched where the machine has nothing as new"""
MODULES = {"GO111MODULE": "on", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}


def parse_version(text: str) -> tuple[int, ...]:
    """`go1.26.8` of `go env GOVERSION`: (1, 26, 8). What is no release is (0,)."""
    found = re.fullmatch(r"go(\d+(?:\.\d+)*)", text.strip())
    return tuple(map(int, found[1].split("."))) if found else (0,)


def newer_go() -> tuple[str, str] | None:
    """The `go` of PATH and its version, where it is new enough."""
    program = shutil.which("go")
    if program is None:
        return None
    try:
        version = run([program, "env", "GOVERSION"], environment={"GOTOOLCHAIN": "local"}).strip()
    except CommandFailed:
        return None
    return (program, version.removeprefix("go")) if parse_version(version) >= NEEDED else None


def fetched_go(folder: Path) -> str:
    """The `go` of the module golang.org/toolchain, fetched into the folder with Debian's."""
    environment = {**MODULES, "GOPATH": str(folder)}
    architecture = run([DEBIANS, "env", "GOARCH"]).strip()
    module = f"golang.org/toolchain@v0.0.1-go{TOOLCHAIN}.linux-{architecture}"
    told = run(
        [DEBIANS, "mod", "download", "-json", module], folder=folder, environment=environment, deadline_seconds=1800
    )
    tools = Path(json.loads(told)["Dir"])
    for program in (*(tools / "bin").iterdir(), *(tools / "pkg/tool").rglob("*")):
        program.chmod(0o755)  # a module's files have no mode of their own
    return os.fspath(tools / "bin/go")
