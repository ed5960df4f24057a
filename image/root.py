"""Lays out the image's file system: `python3.11 image/root.py ROOT --architecture amd64`.

The files of the Debian packages in `packages.txt`, fetched by apt and unpacked without running anything of theirs, less
what no agent uses; no shell, no package manager, nothing setuid. What dpkg knows of each package lies in
/var/lib/dpkg/status.d, where vulnerability scanners look for it. Needs apt's lists, for the architecture.
"""

import argparse
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
MERGED = ("bin", "sbin", "lib", "lib64")
"""Links into /usr, as Debian has them since its 12th release; packages of it still have files below their old names."""
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
LEFT_OUT = re.compile(
    r"usr/(s?bin/(?!python3\.11$)"  # of base-files: programs and scripts, some of which want a shell
    r"|share/(?!doc/[^/]+/copyright$|doc/[^/]+/?$|doc/?$)"  # licences stay
    r"|lib/([^/]+/gconv|valgrind|mime|locale)"
    r"|lib/python3\.11/(lib2to3|pydoc_data|idlelib|ensurepip|turtledemo|tkinter|distutils|test|unittest|wsgiref|venv"
    r"|lib-dynload/(_bz2|_lzma|_crypt|_curses|_curses_panel|_dbm|_gdbm|_sqlite3|_uuid|nis|ossaudiodev|readline"
    r"|_codecs_(cn|hk|iso2022|jp|kr|tw)|audioop|_xxtestfuzz|xxlimited(_35)?|_test\w*|_tkinter)\.))"
    r"|etc/(?!os-release$|debian_version$|python3\.11)"
    r"|usr/(games|include|src)|var/|home|root|boot|opt|srv|media|mnt"
)
"""by the path below the root, after the merge"""


class Refused(Exception):
    """A package has what the image must not have, or is not there; the message says which and what."""


class Package(NamedTuple):
    name: str
    file: Path


def wanted(text: str) -> tuple[str, ...]:
    """The names in `packages.txt`, with `:all` where a package is for all architectures."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def placed(name: str) -> str | None:
    """Where a package's file goes, by its path below the root; None: it is left out."""
    path = name.removeprefix("./").rstrip("/")
    first, _, rest = path.partition("/")
    if first in MERGED:
        if not rest:
            return None
        path = f"usr/{path}"
    if not path or (LEFT_OUT.match(path) and not _leads_to_what_stays(path)):
        return None
    return path


def _leads_to_what_stays(path: str) -> bool:
    return path in ("etc", "usr/bin", "usr/share", "usr/share/doc")


def fetch(names: tuple[str, ...], architecture: str, folder: Path) -> list[Package]:
    """Raises Refused where apt has one of them not, or more than one."""
    asked = {name.removesuffix(":all"): name if ":" in name else f"{name}:{architecture}" for name in names}
    _run("apt-get", "download", *asked.values(), cwd=folder)
    found = []
    for name, whole in asked.items():
        files = sorted(folder.glob(f"{name}_*.deb"))
        if len(files) != 1:
            raise Refused(f"{whole}: found {len(files)} files, expected 1")
        found.append(Package(name, files[0]))
    return found


def unpack(package: Package, root: Path) -> None:
    """Raises Refused for a file that is setuid, setgid, or neither file, link nor folder."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package.file], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            target = placed(member.name)
            if target is None:
                continue
            if member.mode & 0o6000 or not (member.isreg() or member.issym() or member.isdir()):
                raise Refused(f"{package.name}: {member.name} has mode {member.mode:o}, type {member.type!r}")
            _write(archive, member, root / target)
    if process.returncode != 0:
        raise Refused(f"{package.name}: dpkg-deb: exit {process.returncode}")
    status = root / "var/lib/dpkg/status.d" / package.name
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(_run("dpkg-deb", "--field", str(package.file)))


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        target.mkdir(exist_ok=True)
    elif member.issym():
        target.symlink_to(member.linkname)
    else:
        content = archive.extractfile(member)
        target.write_bytes(b"" if content is None else content.read())
        target.chmod(member.mode)


def lay_out(root: Path, architecture: str) -> None:
    root.mkdir()
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    with tempfile.TemporaryDirectory() as folder:
        for package in fetch(wanted((HERE / "packages.txt").read_text()), architecture, Path(folder)):
            unpack(package, root)
    for name, text in ACCOUNTS.items():
        (root / name).write_text(text)
    for name in ("dev", "proc", "sys", "run", "tmp"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "var/run").symlink_to("/run")


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"{' '.join(words)}: exit {done.returncode}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description="Lays out the image's file system.")
    parser.add_argument("root", type=Path, help="a folder that is not there yet")
    parser.add_argument("--architecture", default="amd64", help="Debian's name of it")
    options = parser.parse_args()
    try:
        lay_out(options.root, options.architecture)
    except Refused as refused:
        raise SystemExit(f"root.py: {refused}") from None


if __name__ == "__main__":
    main()
