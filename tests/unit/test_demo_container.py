"""What a process in the demo's container sees."""

import os
import subprocess
from pathlib import Path

import pytest

from furiosa_npu.demo.container import ContainerView
from furiosa_npu.kubelet.deviceplugin_v1beta1 import ContainerAllocateResponse, DeviceSpec, Mount


def _answer(host: Path) -> ContainerAllocateResponse:
    """Two device files, one in a folder; a program; the host's facts at their own path."""
    (host / "rngd").mkdir()
    for name in ("npu0", "npu1", "rngd/npu0pe0"):
        (host / name).touch()
    tool = host / "tool"
    tool.write_text('#!/bin/sh\necho "$FURIOSA_SYSFS_ROOT"; ls "$FURIOSA_DEVFS_ROOT"; exit $1\n')
    tool.chmod(0o755)
    return ContainerAllocateResponse(
        {"NPU_NPUNAME": "npu0", "FURIOSA_DEVFS_ROOT": "/dev", "FURIOSA_SYSFS_ROOT": f"{host}/sys"},
        (Mount("/usr/bin/tool", str(tool), True), Mount(f"{host}/sys", f"{host}/sys", True)),
        (
            DeviceSpec("/dev/npu0", f"{host}/npu0", "rw"),
            DeviceSpec("/dev/rngd/npu0pe0", f"{host}/rngd/npu0pe0", "rw"),
        ),
    )


def test_only_what_was_given_is_there(tmp_path: Path) -> None:
    """Device files and mounts, at their places in the container; the other card is not."""
    (tmp_path / "host").mkdir()
    ContainerView(f"{tmp_path}/root", _answer(tmp_path / "host"))
    found = {
        os.path.relpath(os.path.join(folder, name), tmp_path / "root")
        for folder, _, names in os.walk(tmp_path / "root")
        for name in names
    }
    assert found == {"dev/npu0", "dev/rngd/npu0pe0", "usr/bin/tool"}


def test_a_command_runs_with_the_plugins_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own variables are not the container's; the devfs root is the container's /dev as seen from here."""
    monkeypatch.setenv("FURIOSA_OTHER", "of the caller")
    (tmp_path / "host").mkdir()
    view = ContainerView(f"{tmp_path}/root", _answer(tmp_path / "host"))
    assert view.environment == {
        "NPU_NPUNAME": "npu0",
        "FURIOSA_DEVFS_ROOT": f"{tmp_path}/root/dev",
        "FURIOSA_SYSFS_ROOT": f"{tmp_path}/host/sys",
        "PATH": f"{tmp_path}/root/usr/bin",
    }
    assert view.run(["sh", "-c", "echo $NPU_NPUNAME$FURIOSA_OTHER"]) == "npu0\n"


def test_a_command_that_fails_is_an_error_with_what_it_printed(tmp_path: Path) -> None:
    """The demo must not end well then."""
    (tmp_path / "host").mkdir()
    answer = _answer(tmp_path / "host")
    view = ContainerView(f"{tmp_path}/root", answer._replace(envs={**answer.envs, "PATH": "/bin"}))
    with pytest.raises(subprocess.CalledProcessError) as failed:
        view.run(["sh", "-c", "echo spoken; exit 3"])
    assert (failed.value.returncode, failed.value.stdout) == (3, b"spoken\n")
