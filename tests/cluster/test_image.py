"""The shipped image: what is in it, what is not, and that it is the same as often as it is built."""

import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image.root import wanted

import furiosa_npu
from tests.cluster.product import REPOSITORY, built

SHELLS = {"sh", "bash", "dash", "busybox", "rbash", "zsh", "ash"}
PACKAGE_MANAGERS = {"apt", "apt-get", "dpkg", "dpkg-deb", "pip", "pip3", "easy_install", "perl"}
BILL = "usr/share/sbom/furiosa-npu.spdx.json"
IMAGE, STATIC, OURS = "pkg:oci/furiosa-npu", "pkg:generic/furiosactl", "pkg:pypi/furiosa-npu"
GRPCLIB = "pkg:pypi/grpclib"
DEBIAN = "pkg:deb/debian/"
LINKED = {
    architecture: (
        "libc6-dev",
        "libexpat1-dev",
        gcc,
        "libpython3.11-dev",
        "libpython3.11-minimal",
        "libpython3.11-stdlib",
        "zlib1g-dev",
    )
    for architecture, gcc in (("amd64", "libgcc-12-dev"), ("arm64", "libgcc-12-dev-arm64-cross"))
}
"""architecture to the packages that static/build.py links into furiosactl, by name"""
PROGRAMS = ("plugin", "labeller", "cdi", "dra-driver", "simulator", "chart-hook")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's files, for this machine."""
    return unpacked(built().archive, tmp_path_factory.mktemp("image"))


def unpacked(archive: Path, folder: Path) -> Path:
    """Layer by layer, with owners and modes."""
    with tarfile.open(archive) as image:
        for layer in layers(image):
            subprocess.run(["tar", "--extract", f"--directory={folder}", "--file=-"], input=layer, check=True)
    return folder


def layers(image: tarfile.TarFile) -> Iterator[bytes]:
    """Docker image specification v1.2: `manifest.json` lists them."""
    (manifest,) = json.loads(_content(image, "manifest.json"))
    for name in manifest["Layers"]:
        yield _content(image, name)


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def files(root: Path) -> list[Path]:
    return [file for file in root.rglob("*") if file.is_file() and not file.is_symlink()]


def test_the_same_packages_and_sources_make_the_same_layer() -> None:
    """Built twice from nothing: one layer, whose bytes have one digest."""
    first, second = built().layers
    assert (len(first), first) == (1, second)


def test_there_is_no_shell_no_package_manager_and_nothing_setuid(root: Path) -> None:
    """Whoever gets in finds Python and what an agent may do."""
    names = {file.name for file in files(root) if file.stat().st_mode & 0o111}
    assert names & (SHELLS | PACKAGE_MANAGERS) == set()
    assert [file for file in files(root) if file.stat().st_mode & 0o6000] == []
    programs = sorted(str(file.relative_to(root)) for file in files(root) if file.parent.name in ("bin", "sbin"))
    assert programs == ["usr/bin/python3.11", *sorted(f"usr/local/bin/furiosa-npu-{name}" for name in PROGRAMS)]


def test_each_library_that_a_file_needs_is_there(root: Path) -> None:
    """What was left out of Debian's packages is missed by nothing that stayed."""
    there = {file.name for file in root.rglob("*.so*")}
    missing = {(file.name, needed) for file in files(root) for needed in _needed(file) if needed not in there}
    assert missing == set()


def _needed(file: Path) -> list[str]:
    with file.open("rb") as opened:
        if opened.read(4) != b"\x7fELF":
            return []
    shown = subprocess.run(["readelf", "--dynamic", file], capture_output=True, text=True, check=True).stdout
    return [line.rpartition("[")[2].rstrip("]") for line in shown.splitlines() if "(NEEDED)" in line]


@pytest.mark.parametrize("architecture", LINKED)
def test_the_bill_of_materials_is_whole(architecture: str, tmp_path: Path) -> None:
    """Each package with version and licence, and what is in what: as dpkg's records in the image say, requirements.txt,
    and, of what is linked into furiosactl, the log of the build.
    """
    image = built(architecture).archive
    root = unpacked(image, tmp_path)
    bill = json.loads((root / BILL).read_text())
    shipped, linked = wanted((REPOSITORY / "image/packages.txt").read_text()), LINKED[architecture]
    debian = sorted(name.removesuffix(":all") for name in shipped)
    (grpclib,) = re.findall(r"^grpclib==(\S+)", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    log = (image.parent / "build-0.log").read_text()
    assert {_bare(package): package["versionInfo"] for package in bill["packages"]} == {
        **dict.fromkeys((IMAGE, STATIC, OURS), furiosa_npu.__version__),
        GRPCLIB: grpclib,
        **{DEBIAN + name: _set_up(log, name, architecture) for name in linked},
        **{DEBIAN + name: _recorded(root, name) for name in debian},
    }
    licences = {_bare(package): package["licenseDeclared"] for package in bill["packages"]}
    assert licences == dict.fromkeys(licences, "NOASSERTION") | {
        OURS: "Apache-2.0",
        STATIC: "Apache-2.0",
        GRPCLIB: "BSD-3-Clause",
    }
    of = {package["SPDXID"]: _bare(package) for package in bill["packages"]}
    assert len(of) == len(set(of.values())) == len(bill["packages"])
    assert [tuple(of.get(word, word) for word in relation.values()) for relation in bill["relationships"]] == [
        ("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE),
        (IMAGE, "CONTAINS", STATIC),
        *((IMAGE, "CONTAINS", DEBIAN + name) for name in debian),
        *((IMAGE, "CONTAINS", name) for name in (OURS, GRPCLIB)),
        *((STATIC, "STATIC_LINK", DEBIAN + name) for name in linked),
    ]


def _bare(package: dict[str, Any]) -> str:
    """Its package URL without version and qualifiers."""
    (reference,) = package["externalRefs"]
    return re.split("[@?]", reference["referenceLocator"])[0]


def _set_up(log: str, name: str, architecture: str) -> str:
    """The version that apt installed in the build."""
    (version,) = re.findall(rf"Setting up {re.escape(name)}(?::{architecture})? \((.*)\) \.\.\.", log)
    return str(version)


def _recorded(root: Path, name: str) -> str:
    (version,) = re.findall(r"^Version: (.*)$", (root / "var/lib/dpkg/status.d" / name).read_text(), re.MULTILINE)
    return str(version)


def test_it_is_as_large_as_the_document_says_part_by_part(root: Path) -> None:
    """In MiB of files, to within one."""
    rows = re.findall(r"^\| (.*) \| ([\d.]+) \|$", (REPOSITORY / "docs/image.md").read_text(), re.MULTILINE)
    sizes = {file: file.stat().st_size / 2**20 for file in files(root)}
    found = {what: sum(sizes[file] for file in _below(root, what, list(sizes))) for what, _ in rows}
    assert [(what, round(found[what], 1)) for what, said in rows if abs(found[what] - float(said)) > 1] == []


def _below(root: Path, what: str, all_files: list[Path]) -> list[Path]:
    """`what` names a folder or a file of the image in its words, or is about all."""
    named = re.findall(r"`(/[^`]+)`", what)
    return [file for file in all_files if not named or file.is_relative_to(root / named[0][1:])]


@pytest.mark.parametrize("program", [f"furiosa-npu-{name}" for name in PROGRAMS])
def test_each_command_starts_in_the_image_alone(root: Path, program: str) -> None:
    """With nothing around it but its own files."""
    command = ["chroot", str(root), f"/usr/local/bin/{program}", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{program} {furiosa_npu.__version__}\n"), done.stderr


def test_the_image_for_arm64_starts(tmp_path: Path) -> None:
    """Cross-built: furiosactl and the agents under qemu."""
    root = unpacked(built("arm64").archive, tmp_path)
    qemu: list[str] = ["qemu-aarch64-static", "-L", str(root)]
    python = [*qemu, f"{root}/usr/bin/python3.11", "-IOOB"]
    library = f"{root}/usr/local/lib/python3.11/dist-packages"
    for program, module in (("plugin", "device_plugin"), ("labeller", "node_labeller"), ("dra-driver", "dra_driver")):
        code = f"import sys; sys.path.insert(0, {library!r}); from furiosa_npu.{module}.__main__ import main; main()"
        done = subprocess.run([*python, "-c", code, "--version"], capture_output=True, text=True, check=False)
        assert done.stdout == f"furiosa-npu-{program} {furiosa_npu.__version__}\n", done.stderr
    furiosactl = [*qemu, f"{root}/usr/libexec/furiosa-npu/furiosactl", "version"]
    done = subprocess.run(furiosactl, capture_output=True, text=True, check=False)
    assert furiosa_npu.__version__ in done.stdout, done.stderr
