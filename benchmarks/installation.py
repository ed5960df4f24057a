"""The package installed: as `pip install .` leaves it, and as in the image; not the editable one of the tests."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PYTHON = "/usr/bin/python3.11"
IMAGES_VERSIONS = ("h2==4.1.0", "hpack==4.0.0", "hyperframe==6.0.0", "multidict==6.0.4", "PyYAML==6.0")
"""what the image takes as packages of Debian 12, here from PyPI"""


IMAGES_ENVIRONMENT = {"LC_ALL": "C"}
"""what the image sets (Containerfile)"""


class NotInstalled(Exception):
    """venv or pip failed; the message holds what it said."""


class Installation:
    """A virtual environment of its own under a folder: what pip installs there, with the bytecode that it compiles.

    Its Python is a copy: with the program itself shared, PSS would halve what the benchmark's Python has mapped too.
    """

    def __init__(self, folder: Path, versions: tuple[str, ...] = ()) -> None:
        """`versions`: requirements in place of the newest that there are."""
        folder.mkdir()
        self._folder = folder
        source = folder / "source"
        left_out = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(CHECKOUT / "src", source / "src", ignore=left_out)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(CHECKOUT / name, source)
        _run(PYTHON, "-m", "venv", "--copies", "--without-pip", str(folder / "venv"))
        self.python = str(folder / "venv/bin/python")
        pip = (sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", "--no-input")
        _run(*pip, "install", "--quiet", str(source), *versions)

    def command(self, name: str) -> tuple[str, ...]:
        """The console script as pip wrote it."""
        return (f"{self._folder}/venv/bin/{name}",)

    def images_command(self, package: str) -> tuple[str, ...]:
        """The words that start an agent as the image's own commands do (Containerfile)."""
        script = self._folder / package
        script.write_text(f"from furiosa_npu.{package}.__main__ import main\nraise SystemExit(main())\n")
        return (*self.images_python(), str(script))

    def images_python(self) -> tuple[str, ...]:
        """Bytecode is compiled at the first start into a folder of its own; the image has it in place."""
        return (self.python, "-I", "-OO", "-X", f"pycache_prefix={self._folder / 'bytecode'}")

    def compile(self) -> None:
        """Puts all bytecode in place, as the image has it: who compiles at its start keeps half a MiB of that."""
        library = sorted({sysconfig.get_path("stdlib"), *map(str, (self._folder / "venv/lib").glob("*/site-packages"))})
        _run(*self.images_python(), "-m", "compileall", "-q", *library)


def _run(*words: str) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstalled(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
