"""The static furiosactl where nothing else is: an empty chroot, another user, a hostile environment. Needs root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from image.sbom import parts

from tests.cluster.cache import cached, digest_of_files

REPOSITORY = Path(__file__).parents[2]
INPUTS = ("static", "src/furiosa_npu/__init__.py", "src/furiosa_npu/furiosactl", "src/furiosa_npu/hardware")
INTERPRETER = "/usr/bin/python3.11"
SCENARIO = b"""
cards:
  - {family: warboy, pci_bdf: 0000:01:00.0}
  - {family: warboy, pci_bdf: 0000:02:00.0}
  - {family: renegade, pci_bdf: 0000:03:00.0}
"""
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
    "PYTHONPLATLIBDIR": "/evil",
    "PYTHONHASHSEED": "no number",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "TZ": ":/evil.py",
    "PATH": "",
}


def _build(out: Path, *words: str, repository: Path = REPOSITORY, environment: dict[str, str] | None = None) -> None:
    command = [INTERPRETER, str(repository / "static/build.py"), str(out), *words]
    subprocess.run(command, check=True, cwd="/", env={"PATH": os.environ["PATH"], **(environment or {})})


def _debian_versions() -> list[str]:
    """Of all that goes into the file beside our own sources."""
    packages = ("libpython3.11-dev", "libpython3.11-stdlib", "libexpat1-dev", "zlib1g-dev", "libc6-dev", "gcc-12")
    return _installed(*packages, "binutils")


def _installed(*packages: str) -> list[str]:
    query = ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *packages]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.fixture(scope="session")
def executable() -> Path:
    """The static furiosactl of this tree."""
    inputs = {"files": digest_of_files(REPOSITORY, INPUTS), "debian": _debian_versions()}
    return cached("furiosactl", inputs, lambda folder: _build(folder / "furiosactl")) / "furiosactl"


@pytest.fixture
def jail(executable: Path, tmp_path: Path) -> Iterator[Path]:
    """A root with busybox, furiosactl and the device files of a simulated card; read-only, no /proc."""
    tmp_path.chmod(0o755)
    root = tmp_path / "jail"
    (root / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    shutil.copy(executable, root / "bin/furiosactl")
    create = [sys.executable, "-m", "furiosa_npu.simulator", "create", str(root / "sim"), "/dev/stdin"]
    subprocess.run(create, check=True, capture_output=True, input=SCENARIO)
    fail = [sys.executable, "-m", "furiosa_npu.simulator", "fail", str(root / "sim"), "npu1"]
    subprocess.run(fail, check=True, capture_output=True)
    (root / "pyvenv.cfg").write_text("home = /evil\n")
    (root / "evil.py").write_text("raise SystemExit('the host was listened to')\n")
    subprocess.run(["mount", "--bind", "-o", "ro", str(root), str(root)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
    yield root
    subprocess.run(["umount", str(root)], check=True)


TABLE = """\
+------+------------------+-------+--------+--------------+---------+
| NPU  | Name             | Temp. | Power  | PCI-BDF      | PCI-DEV |
+------+------------------+-------+--------+--------------+---------+
| npu0 | FuriosaAI Warboy |  40°C | 1.37 W | 0000:01:00.0 | 510:0   |
+------+------------------+-------+--------+--------------+---------+
"""
Words = tuple[str | bytes, ...]
ROOTS = ("--devfs-root=/sim/dev", "--sysfs-root=/sim/sys")


def _inside(root: Path, *words: str | bytes, environment: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    # chroot itself is dynamic and would stumble over LD_PRELOAD: busybox sets the variables inside.
    settings = [f"{name}={value}" for name, value in (environment or {}).items()]
    jailed = ["chroot", "--userspec=65534:65534", "--groups=", str(root), "/bin/busybox", "env", "-i", *settings]
    done = subprocess.run([*jailed, "/bin/furiosactl", *words], check=False, capture_output=True, cwd="/")
    return done.returncode, done.stdout, done.stderr


def _by_interpreter(root: Path, *words: str | bytes) -> tuple[int, bytes, bytes]:
    """The same roots, seen from outside the jail; what is said of them is told as if from within."""
    roots = (f"--devfs-root={root}/sim/dev", f"--sysfs-root={root}/sim/sys")
    command = [sys.executable, "-m", "furiosa_npu.furiosactl", *roots, *words]
    done = subprocess.run(command, check=False, capture_output=True, env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stdout, done.stderr.replace(os.fsencode(root), b"")


COMMANDS: list[Words] = [
    (),
    ("--help",),
    ("version",),
    ("--version",),
    ("info",),
    ("info", "--full"),
    ("list",),
    ("info", "--format", "json"),
    ("list", "--format", "yaml"),
    ("config", "get"),
    ("config", "set", "0000:01:00.0", "performance_mode", "99"),
    ("config", "set", "0000:01:00.0", "performance_mode", "low"),
    ("info", "npu1"),
    ("info", "npu0"),
    ("info", "npu9", "--format=yaml"),
    ("list", "--format=json", "--devfs-root=/sim/no"),
    ("info", b"\xff\xfe"),
    ("info", "--help"),
    ("nonsense",),
    ("--nonsense",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=repr)
@pytest.mark.parametrize("environment", [{}, HOSTILE], ids=["empty environment", "hostile environment"])
def test_it_says_in_an_empty_root_what_the_interpreter_says(
    jail: Path, words: Words, environment: dict[str, str]
) -> None:
    """Code, output and error of every command, as uid 65534 without /proc, /dev and a writable folder."""
    assert _inside(jail, *ROOTS, *words, environment=environment) == _by_interpreter(jail, *words)


def test_the_degree_sign_is_utf8_whatever_the_locale(jail: Path) -> None:
    """The whole table of one card, byte for byte."""
    assert _inside(jail, *ROOTS, "info", "0000:01:00.0", environment=HOSTILE) == (0, TABLE.encode(), b"")


def test_the_environment_names_the_roots(jail: Path) -> None:
    """As the plugin sets it in a container."""
    roots = {"FURIOSA_DEVFS_ROOT": "/sim/dev", "FURIOSA_SYSFS_ROOT": "/sim/sys"}
    assert _inside(jail, "list", environment=roots) == _by_interpreter(jail, "list")


def test_setting_on_a_read_only_sysfs_is_a_clear_error(jail: Path) -> None:
    """Exit code 1 and the path."""
    code, out, error = _inside(jail, *ROOTS, "config", "set", "0000:01:00.0", "performance_mode", "2")
    path = "/sim/sys/class/npu_mgmt/npu0_mgmt/performance_mode"
    assert (code, out, error.decode()) == (
        1,
        b"",
        f"furiosactl: {path}: Read-only file system: setting it needs a writable sysfs, as on the host\n",
    )


STREAMS = [("info >&-", 1), ("info >/dev/full", 1), ("frob 2>&-", 2), ("frob 2>/dev/full", 2), ("info <&- 2>&-", 0)]


@pytest.mark.parametrize(("line", "code"), STREAMS)
def test_streams_that_are_closed_or_full_end_in_the_right_code(jail: Path, line: str, code: int) -> None:
    """No failure of the program itself is taken for success."""
    roots = {"FURIOSA_DEVFS_ROOT": f"{jail}/sim/dev", "FURIOSA_SYSFS_ROOT": f"{jail}/sim/sys"}
    done = subprocess.run(["sh", "-c", f"{jail}/bin/furiosactl {line}"], check=False, env=roots, capture_output=True)
    assert done.returncode == code


def test_a_reader_that_has_gone_is_no_news(executable: Path) -> None:
    """Exit code 1, no signal and no word, as by the interpreter."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([executable, "version"], check=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_file_that_may_not_grow_is_an_error(executable: Path, tmp_path: Path) -> None:
    """Exit code 1 and the reason, no signal, as by the interpreter."""
    line = f"ulimit -f 0; exec {executable} version >{tmp_path}/file"
    done = subprocess.run(["sh", "-c", line], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"furiosactl: standard output: File too large\n")


@pytest.mark.parametrize("zone", ["UTC0", "Universal", ":zone", "{folder}/zone"])
def test_no_time_zone_is_opened(executable: Path, tmp_path: Path, zone: str) -> None:
    """Whatever TZ and TZDIR name: a pipe without a writer would hold whoever opens it."""
    for name in ("UTC0", "Universal", "UTC", "zone"):
        os.mkfifo(tmp_path / name)
    environment = {"TZ": zone.format(folder=tmp_path), "TZDIR": str(tmp_path)}
    done = subprocess.run([executable, "version"], check=False, capture_output=True, env=environment, timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_needs_no_library_and_no_interpreter(executable: Path) -> None:
    """No program interpreter in the ELF headers."""
    headers = subprocess.run(["readelf", "--program-headers", str(executable)], check=True, capture_output=True)
    assert b"INTERP" not in headers.stdout


def test_the_same_sources_give_the_same_bytes(executable: Path, tmp_path: Path) -> None:
    """Built once more from a checkout elsewhere, by someone with an environment of their own."""
    for folder in ("static", "src"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        "PYTHONHASHSEED": "7",
        "PYTHONPATH": "/evil",
        "PYTHONOPTIMIZE": "0",
        "CPATH": "/evil",
        "CFLAGS": "-g",
    }
    _build(tmp_path / "again", repository=tmp_path, environment=environment)
    assert (tmp_path / "again").read_bytes() == executable.read_bytes()


def test_the_packages_whose_files_are_in_it_are_told(tmp_path: Path) -> None:
    """The archives that the linker read and the library's modules, with the versions of this machine; none of ours."""
    inputs = tmp_path / "inputs"
    _build(tmp_path / "out", "--inputs", str(inputs))
    told = [f"{part.name} {part.version}" for part in parts(inputs.read_text().splitlines(), [])]
    assert told == _installed(
        "libc6-dev",
        "libexpat1-dev",
        "libgcc-12-dev",
        "libpython3.11-dev",
        "libpython3.11-minimal",
        "libpython3.11-stdlib",
        "zlib1g-dev",
    )


def test_the_offered_objects_link_to_the_same_executable(executable: Path, tmp_path: Path) -> None:
    """By the commands that the README gives to those who want another glibc in it."""
    _build(tmp_path / "out", "--objects", str(tmp_path / "objects"))
    commands = (REPOSITORY / "static/README.md").read_text().partition("```sh\n")[2].partition("```")[0]
    subprocess.run(["sh", "-ec", commands], check=True, cwd=tmp_path / "objects", capture_output=True)
    assert (tmp_path / "objects/furiosactl").read_bytes() == executable.read_bytes()
