"""The README's way without Kubernetes: Podman, as Debian has it, gives a container its NPU by CDI."""

import json
import os
import subprocess
import sys
from pathlib import Path

from furiosa_npu.simulator import Simulation, parse_scenario
from tests.cluster.images import ubuntu_archive
from tests.cluster.product import built
from tests.docs.markdown import ENGLISH, REPOSITORY, blocks, commands

TWO_WARBOYS = "cards: [{family: warboy}, {family: warboy}]"
NPU0 = ["npu0", "npu0_mgmt", "npu0ch0", "npu0ch1", "npu0ch2", "npu0ch3", "npu0pe0", "npu0pe0-1", "npu0pe1"]

CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
"""
"""for a host that itself is a container: no systemd, no right to raise limits"""


NO_CGROUP_STAYS = "find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + || true"
"""Podman leaves its own, empty."""


def _run(folder: Path, script: str, **environment: str) -> str:
    """What a script prints on a host whose /run is its own. Raises CalledProcessError."""
    (folder / "containers.conf").write_text(CONTAINERS_CONF)
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "/run/containers"\ngraphroot = "{folder}/storage"\n'
    )
    (folder / "tmp").mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-euc", f"mount -t tmpfs none /run\n{script}\n{NO_CGROUP_STAYS}"],
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "TMPDIR": str(folder / "tmp"),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_container_of_podman_gets_its_npu_and_no_other(tmp_path: Path) -> None:
    """Both of the README's lines, with the other one of the two folders into which runtimes look."""
    (shown,) = (block.text for block in blocks(ENGLISH) if "podman" in block.text)
    simulation = Simulation.create(str(tmp_path / "sim"), parse_scenario(TWO_WARBOYS))
    listed = _run(
        tmp_path,
        f"podman load --quiet --input {ubuntu_archive()} >&2\n" + shown.replace("/etc/cdi", "/var/run/cdi"),
        FURIOSA_DEVFS_ROOT=simulation.roots.devfs,
        FURIOSA_SYSFS_ROOT=simulation.roots.sysfs,
    )
    assert [name for name in listed.split() if name.startswith("npu")] == NPU0


def test_the_bill_of_materials_comes_out_of_a_container_that_never_ran(tmp_path: Path) -> None:
    """The document's two lines; the image has nothing that could copy it out."""
    shown = "\n".join(commands(REPOSITORY / "docs/image.md"))
    listed = _run(
        tmp_path, f"cd {tmp_path}\npodman load --quiet --input {built().archive} >&2\n{shown} >&2\ncat *.spdx.json"
    )
    bill = json.loads(listed[listed.index("{") :])  # after the container's id
    assert {"furiosa-npu", "furiosactl", "grpclib", "libc6"} <= {package["name"] for package in bill["packages"]}
