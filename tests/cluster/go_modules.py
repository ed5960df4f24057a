"""Programs built from Go modules: a throw-away module requires what they are in, and Go fetches the rest."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.go_tools import MODULES, newer_go

LINKER = "-s -w"
"""no symbols, no debugging information"""


def module_file(path: str, number: str, required: str) -> str:
    """The go.mod of a module that requires `path` in release `number` (`1.37.2`), from that module's own go.mod.

    Kubernetes' staging modules stand there at v0.0.0, in folders of its tree; outside they are modules at v0.37.2. A
    module that is replaced by a folder of the tree without a number is one of the same number outside.
    """
    (go,) = re.findall(r"^go (\S+)$", required, re.MULTILINE)
    staged = re.findall(r"^\s*(k8s\.io/\S+) v0\.0\.0$", required, re.MULTILINE)
    own = f"v0.{number.partition('.')[2]}"
    replacements = "".join(f"replace {name} => {name} {own}\n" for name in staged)
    inner = re.findall(r"^\s*(\S+) v0\.0\.0-00010101000000-000000000000$", required, re.MULTILINE)
    replacements += "".join(f"replace {name} => {name} v{number}\n" for name in inner)
    return f"module throwaway\n\ngo {go}\n\nrequire {path} v{number}\n{replacements}"


class Workshop:
    """A folder with a throw-away module. All that Go fetches and keeps lies in it too, and goes with it."""

    def __init__(self, folder: Path, path: str, number: str) -> None:
        """`folder` is made; `path`, `number`: the module required, e.g. k8s.io/kubernetes, 1.37.2."""
        self._go = newer_go().command()
        self.module = folder / "throwaway"
        self.module.mkdir(parents=True)
        self._environment = {**MODULES, "GOPATH": str(folder), "GOCACHE": str(folder / "go-cache")}
        told = self._run("mod", "download", "-json", f"{path}@v{number}")
        self.source = Path(json.loads(told)["Dir"])
        """the required module's files"""
        (self.module / "go.mod").write_text(module_file(path, number, (self.source / "go.mod").read_text()))

    def build(self, package: str, program: Path, linker: str = LINKER) -> None:
        """Builds a package, of any module, to a program."""
        words = ("-mod=mod", "-buildvcs=false", "-o", str(program), "-ldflags", linker, package)
        self._run("build", *words)

    def _run(self, *words: str) -> str:
        return run([self._go, *words], folder=self.module, environment=self._environment, deadline_seconds=3600)


def build_programs(folder: Path, path: str, number: str, packages: Mapping[str, str], linker: str = LINKER) -> None:
    """Fills a folder with programs of one module. `packages`: program to its package's place in the module."""
    work = folder / "work"
    workshop = Workshop(work, path, number)
    for program, package in packages.items():
        workshop.build(f"{path}/{package}".rstrip("/"), folder / program, linker)
    shutil.rmtree(work)
