"""The static furiosactl where nothing else is: an empty chroot, another user, a hostile environment. Needs root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cache import cached, digest_of_files

REPOSITORY = Path(__file__).parents[2]
INPUTS = ("static", "src/furiosa_npu/__init__.py", "src/furiosa_npu/furiosactl", "src/furiosa_npu/hardware")
INTERPRETER = "/usr/bin/python3.11"
HOSTILE = {
    "PYTHONHOME": "/nowhere",
    "PYTHONPATH": "/",
    "PYTHONSTARTUP": "/evil.py",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONINSPECT": "1",
    "PYTHONVERBOSE": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONMALLOC": "debug",
    "LD_PRELOAD": "/evil.so",
    "LD_LIBRARY_PATH": "/",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "PATH": "",
}


def _build(out: Path) -> None:
    subprocess.run([INTERPRETER, str(REPOSITORY / "static/build.py"), str(out)], check=True)


def _library_version() -> str:
    query = ["dpkg-query", "--show", "--showformat=${Version}", "libpython3.11-dev"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def executable() -> Path:
    """The static furiosactl of this tree."""
    inputs = {"files": digest_of_files(REPOSITORY, INPUTS), "library": _library_version()}
    return cached("furiosactl", inputs, lambda folder: _build(folder / "furiosactl")) / "furiosactl"


@pytest.fixture
def jail(executable: Path, tmp_path: Path) -> Iterator[Path]:
    """A root with busybox, furiosactl and the device files of a simulated card; read-only, no /proc."""
    tmp_path.chmod(0o755)
    root = tmp_path / "jail"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    shutil.copy(executable, root / "bin/furiosactl")
    create = [sys.executable, "-m", "furiosa_npu.simulator", "create", str(root / "sim")]
    subprocess.run([*create, str(REPOSITORY / "examples/scenarios/mixed.yaml")], check=True, capture_output=True)
    (root / "pyvenv.cfg").write_text("home = /evil\n")
    (root / "evil.py").write_text("raise SystemExit('the host was listened to')\n")
    subprocess.run(["mount", "--bind", "-o", "ro", str(root), str(root)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
    yield root
    subprocess.run(["umount", str(root)], check=True)


def _inside(root: Path, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    command = ["chroot", "--userspec=65534:65534", "--groups=", str(root), "/bin/furiosactl", *arguments]
    # chroot itself is dynamic and would stumble over LD_PRELOAD: busybox sets the variables inside.
    settings = [f"{name}={value}" for name, value in (environment or {}).items()]
    command[4:4] = ["/bin/busybox", "env", "-i", *settings]
    done = subprocess.run(command, check=False, capture_output=True, cwd="/")
    return done.returncode, done.stdout, done.stderr


def _by_interpreter(root: Path, *arguments: str) -> tuple[int, bytes, bytes]:
    roots = ["--devfs-root", str(root / "sim/dev"), "--sysfs-root", str(root / "sim/sys")]
    command = [sys.executable, "-m", "furiosa_npu.furiosactl", *arguments, *roots]
    done = subprocess.run(command, check=False, capture_output=True, env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stdout, done.stderr


COMMANDS = [
    (),
    ("--help",),
    ("version",),
    ("info",),
    ("info", "--full"),
    ("list",),
    ("info", "--format", "json"),
    ("list", "--format", "yaml"),
    ("config", "get"),
    ("config", "set", "0000:01:00.0", "performance_mode", "99"),
    ("info", "npu9"),
    ("nonsense",),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("environment", [{}, HOSTILE], ids=["empty environment", "hostile environment"])
def test_it_says_in_an_empty_root_what_the_interpreter_says(
    jail: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> None:
    """Code, output and error of every command, as uid 65534 without /proc, /dev and a writable folder."""
    roots = ("--devfs-root", "/sim/dev", "--sysfs-root", "/sim/sys")
    assert _inside(jail, *arguments, *roots, environment=environment) == _by_interpreter(jail, *arguments)


def test_the_degree_sign_is_utf8_whatever_the_locale(jail: Path) -> None:
    """`40°C` is five bytes."""
    _, out, _ = _inside(jail, "info", "--devfs-root=/sim/dev", "--sysfs-root=/sim/sys", environment=HOSTILE)
    assert "40°C".encode() in out


def test_setting_without_rights_is_a_clear_error(jail: Path) -> None:
    """Exit code 1 and the path."""
    roots = ("--devfs-root=/sim/dev", "--sysfs-root=/sim/sys")
    code, out, error = _inside(jail, "config", "set", "0000:01:00.0", "performance_mode", "2", *roots)
    path = "/sim/sys/class/npu_mgmt/npu0_mgmt/performance_mode"
    assert (code, out, error.decode()) == (
        1,
        b"",
        f"furiosactl: {path}: Read-only file system: setting it needs a writable sysfs, as on the host\n",
    )


def test_it_needs_no_library_and_no_interpreter(executable: Path) -> None:
    """No program interpreter in the ELF headers."""
    headers = subprocess.run(["readelf", "--program-headers", str(executable)], check=True, capture_output=True)
    assert b"INTERP" not in headers.stdout


def test_the_same_inputs_give_the_same_bytes(executable: Path, tmp_path: Path) -> None:
    """Built once more, elsewhere."""
    _build(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == executable.read_bytes()
