"""Container images, made here: there is no registry.

A base image is Debian's minbase; small images are written as docker archives without any tool (OCI image-spec
config, Docker's image/spec v1.2 archive); the product's image is built from its Containerfile by buildah.
"""

import configparser
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import NamedTuple

from tests.cluster import debian
from tests.cluster.cache import cached, digest_of_files
from tests.cluster.commands import run

DEBIAN = "docker.io/library/debian:bookworm-slim"
UBUNTU_STAND_IN = "docker.io/library/ubuntu:focal"
SANDBOX_IMAGE = "docker.io/library/furiosa-npu-test-pause:1"
_ARCHIVE = "image.tar"
_LAYERS = "layers.json"
_PIP_FOLDER = "/etc/xdg/pip"


def pause_archive() -> Path:
    """An image whose command sleeps: what a pod's sandbox runs."""

    def make(folder: Path) -> None:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            busybox = tarfile.TarInfo("bin/busybox")
            program = Path("/bin/busybox").read_bytes()
            busybox.mode, busybox.size = 0o755, len(program)
            tar.addfile(busybox, io.BytesIO(program))
        command = [
            "/bin/busybox",
            "sh",
            "-c",
            "trap 'exit 0' TERM INT; while :; do /bin/busybox sleep 1000 & wait; done",
        ]
        _write_archive(folder / _ARCHIVE, SANDBOX_IMAGE, layer.getvalue(), command)

    return cached("image-pause", {"recipe": 1, "busybox": _version("busybox-static")}, make) / _ARCHIVE


def ubuntu_archive() -> Path:
    """What the document's pod calls ubuntu:focal: a local Debian with bash."""
    return _debian_archive("image-ubuntu", UBUNTU_STAND_IN)


def debian_archive() -> Path:
    """What the product's Containerfile starts from."""
    return _debian_archive("image-debian", DEBIAN)


class Built(NamedTuple):
    """An image that was built from the Containerfile."""

    archive: Path
    """docker-archive"""
    layers: tuple[tuple[str, ...], ...]
    """the digests of its layers' bytes (OCI image-spec, DiffIDs), of each time that it was built"""


def product(
    repository: Path, image: str, inputs: tuple[str, ...], architecture: str, times: int, thing: str = "image"
) -> Built:
    """The product's image from `Containerfile`. `inputs`: the files and folders that go in; `architecture`: Debian's
    name of it; `times`: how often it is built, from nothing each time; `thing`: its name in the cache.
    """
    base = debian_archive()
    files = digest_of_files(repository, inputs)

    def make(folder: Path) -> None:
        storage = folder / "storage"
        buildah = ["buildah", f"--root={storage / 'root'}", f"--runroot={storage / 'run'}", "--storage-driver=vfs"]
        environment = {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(folder)}
        run([*buildah, "pull", f"docker-archive:{base}"], environment=environment)
        file = f"--file={repository / 'Containerfile'}"
        build = [
            *buildah,
            "bud",
            "--pull=never",
            f"--build-arg=TARGETARCH={architecture}",
            _egress(folder / "egress"),
            file,
        ]
        layers = []
        for number in range(times):
            log = run([*build, f"--tag={image}", str(repository)], environment=environment, deadline_seconds=1500)
            (folder / f"build-{number}.log").write_text(log)
            layers.append(json.loads(run([*buildah, "inspect", "--type=image", image]))["OCIv1"]["rootfs"]["diff_ids"])
        (folder / _LAYERS).write_text(json.dumps(layers))
        target = f"docker-archive:{folder / _ARCHIVE}:docker.io/library/{image}"
        run([*buildah, "push", image, target], environment=environment)
        run(["rm", "-rf", str(storage), str(folder / "egress")])

    key = {"recipe": 2, "image": image, "base": str(base), "files": files, "architecture": architecture, "times": times}
    folder = cached(f"{thing}-{architecture}", key, make)
    layers = tuple(map(tuple, json.loads((folder / _LAYERS).read_text())))
    return Built(folder / _ARCHIVE, layers)


def _egress(folder: Path) -> str:
    """What pip in a build needs of this machine's way out, as a volume: its certificates and its index.

    A volume, since environment given to a build stays in the image. Proxies are passed on by buildah itself.
    """
    folder.mkdir()
    (folder / "certificates.pem").write_bytes(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())
    settings = {"cert": f"{_PIP_FOLDER}/certificates.pem"}
    machine = configparser.ConfigParser()
    machine.read("/etc/pip.conf")
    for option in ("index-url", "extra-index-url", "trusted-host", "timeout"):
        variable = "PIP_DEFAULT_TIMEOUT" if option == "timeout" else f"PIP_{option.upper().replace('-', '_')}"
        value = os.environ.get(variable) or machine.get("global", option, fallback=None)
        if value:
            settings[option] = value
    lines = ["[global]", *(f"{option} = {value}" for option, value in settings.items())]
    (folder / "pip.conf").write_text("\n".join(lines) + "\n")
    return f"--volume={folder}:{_PIP_FOLDER}:ro"


def _root_tar() -> Path:
    """A minimal Debian's files, without packages and lists that apt fetched."""

    def make(folder: Path) -> None:
        root = folder / "root"
        bootstrap = [
            "debootstrap",
            "--variant=minbase",
            "--include=ca-certificates",
            "bookworm",
            str(root),
            debian.mirror(),
        ]
        run(bootstrap, deadline_seconds=1200)
        for fetched in ("var/cache/apt", "var/lib/apt/lists"):
            run(["find", str(root / fetched), "-type", "f", "-delete"])
        (root / "etc/apt/sources.list").unlink(missing_ok=True)
        sources = root / "etc/apt/sources.list.d/debian.sources"
        sources.write_text(debian.binary_sources())
        numbers = ["--numeric-owner", "--one-file-system", "--exclude=./dev/*"]
        run(["tar", "--create", f"--file={folder / 'root.tar'}", f"--directory={root}", *numbers, "."])
        run(["rm", "-rf", str(root)])

    return cached("debian-root", {"recipe": 2, "mirror": debian.mirror()}, make) / "root.tar"


def _debian_archive(thing: str, image: str) -> Path:
    root = _root_tar()

    def make(folder: Path) -> None:
        _write_archive(folder / _ARCHIVE, image, root.read_bytes(), ["/bin/bash"])

    return cached(thing, {"recipe": 1, "root": str(root), "image": image}, make) / _ARCHIVE


def _write_archive(file: Path, image: str, layer: bytes, command: list[str]) -> None:
    """A docker archive of one layer."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tests"}],
    }
    config_text = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(config_text).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [image], "Layers": ["layer.tar"]}]
    with tarfile.open(file, "w") as tar:
        for name, content in (
            (config_name, config_text),
            ("layer.tar", layer),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _version(package: str) -> str:
    return run(["dpkg-query", "--show", "--showformat=${Version}", package])
