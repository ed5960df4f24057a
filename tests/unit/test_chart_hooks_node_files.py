"""What an uninstallation removes from a node, and what it leaves there."""

import fcntl
from pathlib import Path

import pytest

from furiosa_npu.chart_hooks.__main__ import run
from furiosa_npu.watch.plane_lock import Plane, PlaneLock

UID = "0f1e2d3c-0000-4000-8000-000000000000"
STATE = (
    *("health.json", "plane.lock", "plane-dra.lock", "bin/furiosactl", "dra/prepared.json"),
    *("dra/health.json", "dra/lock"),
)
OURS = (
    *(f"state/{name}" for name in STATE),
    *("cdi/furiosa.ai-npu.json", f"cdi/npu.furiosa.ai-claim_{UID}.json", "cdi/.furiosa.ai-npu.json.0a1b2c3d.new"),
    *("kubelet/device-plugins/furiosa-npu-furiosa.ai_npu.sock", "kubelet/plugins/npu.furiosa.ai/1.instance"),
    *("features/furiosa-npu", "features/.furiosa-npu.0a1b2c3d.new"),
    *("kubelet/plugins_registry/npu.furiosa.ai-x-reg.sock", "kubelet/plugins_registry/furiosa.ai_npu-x-names.sock"),
)
OTHERS = (
    *("cdi/nvidia.com-gpu.json", "cdi/furiosa.ai-npu.yaml", "kubelet/device-plugins/kubelet.sock"),
    *("kubelet/device-plugins/kubelet_internal_checkpoint", "kubelet/plugins/gpu.example.com/plugin.sock"),
    *("kubelet/plugins_registry/gpu.example.com-reg.sock", "features/other", "features/furiosa-npu-x"),
)


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}


def sweep(folder: Path) -> int:
    places = (f"--{name}-dir={folder / name}" for name in ("state", "cdi", "kubelet", "features"))
    return run(("sweep-node", *places), {})


def test_all_of_ours_goes_and_nothing_of_others(tmp_path: Path) -> None:
    """Sockets, state, locks, the host's furiosactl, files for CDI and nfd-worker whole or begun; once is enough."""
    for name in (*OURS, *OTHERS):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert sweep(tmp_path) == 0
    assert files(tmp_path) == set(OTHERS)
    assert not (tmp_path / "kubelet/plugins/npu.furiosa.ai").exists()
    assert list((tmp_path / "state").iterdir()) == []
    assert sweep(tmp_path) == 0


@pytest.mark.parametrize(
    ("plane", "agent"),
    [
        ("device-plugin", "the device plugin (furiosa-npu-plugin)"),
        ("dra", "the DRA driver (furiosa-npu-dra-driver)"),
    ],
)
def test_nothing_goes_while_an_agent_hands_out_cards(
    plane: Plane, agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, with what to do; once it has ended, however that came, all goes."""
    for name in OURS:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    lock = PlaneLock(str(tmp_path / "state"), plane)
    assert lock.take() is None
    before = files(tmp_path)
    assert sweep(tmp_path) == 1
    assert files(tmp_path) == before
    assert capsys.readouterr().err == (
        f"furiosa-npu-chart-hook: {agent} hands out this node's cards: nothing was removed. After an uninstallation "
        "this is tried again until it has ended. Where a chart was rendered and applied with its hooks: render it with "
        "--no-hooks, and delete what has the label app.kubernetes.io/component=chart-hook\n"
    )
    lock.release()
    assert sweep(tmp_path) == 0
    assert files(tmp_path) == set()


def test_nothing_goes_while_it_cannot_be_told_whether_an_agent_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that decides at this moment, and a file in the folder's place."""
    (tmp_path / "state").touch()
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi/furiosa.ai-npu.json").touch()
    assert sweep(tmp_path) == 1
    state = tmp_path / "state"
    assert capsys.readouterr().err == (
        f"furiosa-npu-chart-hook: {state}/plane.lock: Not a directory: it cannot be told whether an agent hands out "
        "this node's cards: nothing was removed\n"
    )
    state.unlink()
    state.mkdir()
    with (state / "plane.lock").open("w") as deciding:
        fcntl.flock(deciding, fcntl.LOCK_EX)
        assert sweep(tmp_path) == 1
    assert "an agent decides at this moment: it cannot be told" in capsys.readouterr().err
    assert files(tmp_path) == {"cdi/furiosa.ai-npu.json", "state/plane.lock"}


def test_a_link_is_removed_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    """Whoever could write there cannot have a folder of the host emptied."""
    (tmp_path / "state").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (tmp_path / "state/link").symlink_to(tmp_path / "precious")
    assert sweep(tmp_path) == 0
    assert files(tmp_path) == {"precious/file"}


def test_a_node_without_anything_of_ours_is_swept(tmp_path: Path) -> None:
    """No folder is there, none is made."""
    assert sweep(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
