"""Go's tools: Debian's for the tree of 1.20.2, newer ones for the newest modules."""

import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from tests.cluster.cache import cached
from tests.cluster.commands import CommandFailed, run

DEBIANS = "/usr/lib/go-1.19/bin/go"
NEEDED = (1, 26, 6)
"""what the newest modules' go.mod ask for"""
TOOLCHAIN = "1.26.8"
"""what is fetched where the machine has nothing as new"""
MODULES = {"GO111MODULE": "on", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}


class Go(NamedTuple):
    """Go's tools as new as the newest modules want them."""

    version: str
    """e.g. 1.26.8"""
    program: str | None
    """the machine's own; None: they are fetched when they are wanted"""

    def command(self) -> str:
        """The path of `go`."""
        return self.program or str(_fetched() / "bin/go")


def parse_version(text: str) -> tuple[int, ...]:
    """`go1.26.8` of `go env GOVERSION`: (1, 26, 8). What is no release is (0,)."""
    found = re.fullmatch(r"go(\d+(?:\.\d+)*)", text.strip())
    return tuple(map(int, found[1].split("."))) if found else (0,)


def newer_go() -> Go:
    """The `go` of PATH where it is new enough, else that of the module golang.org/toolchain."""
    program = shutil.which("go")
    version = _version(program) if program else ""
    if parse_version(version) >= NEEDED:
        return Go(version.removeprefix("go"), program)
    return Go(TOOLCHAIN, None)


def _version(program: str) -> str:
    try:
        return run([program, "env", "GOVERSION"], environment={"GOTOOLCHAIN": "local"}).strip()
    except CommandFailed:
        return ""


def _fetched() -> Path:
    """The folder with `bin/go`, from the cache or fetched with Debian's."""
    architecture = run([DEBIANS, "env", "GOARCH"]).strip()
    module = f"golang.org/toolchain@v0.0.1-go{TOOLCHAIN}.linux-{architecture}"

    def make(folder: Path) -> None:
        environment = {**MODULES, "GOPATH": str(folder / "modules")}
        download = [DEBIANS, "mod", "download", "-json", module]
        told = run(download, folder=folder, environment=environment, deadline_seconds=1800)
        Path(json.loads(told)["Dir"]).rename(folder / "go")
        for program in (*(folder / "go/bin").iterdir(), *(folder / "go/pkg/tool").rglob("*")):
            program.chmod(0o755)  # a module's files have no mode of their own
        shutil.rmtree(folder / "modules")

    return cached(f"go-{TOOLCHAIN}", {"module": module, "recipe": 1}, make) / "go"
