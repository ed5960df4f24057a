"""The package installed as in the image, bytecode warm: not the editable one of the tests."""

import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PYTHON = "/usr/bin/python3.11"
IMAGES_VERSIONS = ("h2==4.1.0", "hpack==4.0.0", "hyperframe==6.0.0", "multidict==6.0.4", "PyYAML==6.0")
"""what the image takes as packages of Debian 12, here from PyPI"""


class NotInstalled(Exception):
    """venv or pip failed; the message holds what it said."""


class Installation:
    """A virtual environment of its own under a folder.

    Its Python is a copy: with the program itself shared, PSS would halve what the benchmark's Python has mapped too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        source = folder / "source"
        left_out = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(CHECKOUT / "src", source / "src", ignore=left_out)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(CHECKOUT / name, source)
        _run(PYTHON, "-m", "venv", "--copies", "--without-pip", str(folder / "venv"))
        self._python = str(folder / "venv/bin/python")
        pip = (sys.executable, "-m", "pip", "--python", self._python, "--disable-pip-version-check", "--no-input")
        _run(*pip, "install", "--quiet", "--no-compile", str(source), *IMAGES_VERSIONS)

    def agent(self, package: str) -> tuple[str, ...]:
        """The words that start an agent as the image's own commands do (Containerfile)."""
        script = self._folder / package
        script.write_text(f"from furiosa_npu.{package}.__main__ import main\nraise SystemExit(main())\n")
        bytecode = f"pycache_prefix={self._folder / 'bytecode'}"
        return (self._python, "-I", "-OO", "-X", bytecode, str(script))


def _run(*words: str) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstalled(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
