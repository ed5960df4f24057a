"""The virtual environment of a checkout: the package, editable, and what its tests need; kept in the cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.checks.tries import tried

PATIENT = {"PIP_RETRIES": "10", "PIP_TIMEOUT": "60"}
"""pip with a network that stalls, where its variables are not set otherwise"""


class NoEnvironment(Exception):
    """pip could not install what the tests need."""


def virtual_environment(checkout: Path, cache: Path) -> Path:
    """The folder of the checkout's environment, made where it is missing or `pyproject.toml` has changed since.

    One folder a checkout, since the package is installed in place. pip reads its own PIP_* variables.
    """
    place = cache / f"venv-{hashlib.sha256(os.fsencode(checkout)).hexdigest()[:12]}"
    inputs = _inputs(checkout)
    cache.mkdir(parents=True, exist_ok=True)
    with open(f"{place}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / "made-from"
        if not (stamp.is_file() and stamp.read_text() == inputs):
            _make(place, checkout)
            stamp.write_text(inputs)
    return place


def _inputs(checkout: Path) -> str:
    project = hashlib.sha256((checkout / "pyproject.toml").read_bytes()).hexdigest()
    return f"{checkout}\n{project}\n{sys.executable} {sys.version}\n"


def _make(place: Path, checkout: Path) -> None:
    if place.exists():
        shutil.rmtree(place)
    _run([sys.executable, "-m", "venv", str(place)])
    pip = [f"{place}/bin/python", "-m", "pip", "install", "--quiet", "--no-input"]
    _run([*pip, "--editable", f"{checkout}[dev]"])


def _run(words: list[str]) -> None:
    def once() -> int:
        return subprocess.run(words, env=PATIENT | os.environ, stdin=subprocess.DEVNULL, check=False).returncode

    status = tried(once)
    if status != 0:
        raise NoEnvironment(f"{' '.join(words)}: exit {status}; what it said stands above")


def variables(place: Path, cache: Path) -> dict[str, str]:
    """This process' environment for a stage: the programs of the checkout first, what tools keep in the cache."""
    kept = place / "kept"
    path = [str(place / "bin"), os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin"]
    return {
        **PATIENT,
        **os.environ,
        "PATH": ":".join(part for part in path if part),
        "VIRTUAL_ENV": str(place),
        "FURIOSA_NPU_CACHE": str(cache),
        "LC_ALL": "C.UTF-8",
        "RUFF_CACHE_DIR": str(kept / "ruff"),
        "MYPY_CACHE_DIR": str(kept / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(kept / "hypothesis"),
        "PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} -o cache_dir={kept / 'pytest'}",
    }
