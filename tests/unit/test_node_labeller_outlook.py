"""What the options bring into the labeller's memory, and what is looked at for them."""

import subprocess
import sys
from pathlib import Path

import pytest

from furiosa_npu.hardware.reading import Roots
from furiosa_npu.node_labeller.labels import PLANE_LABEL
from furiosa_npu.node_labeller.outlook import outlook
from furiosa_npu.node_labeller.settings import Settings
from furiosa_npu.watch.plane_lock import PlaneLock

SETTINGS = Settings(
    "", "", "n1", None, 2, "text", "info", None, 60, None, (), "node", "/none", "kube-system", "/none", "/none"
)


def _tree(folder: Path) -> Roots:
    for name in ("dev", "sys", "state"):
        (folder / name).mkdir()
    return Roots(f"{folder}/dev", f"{folder}/sys")


def test_without_the_options_nothing_of_theirs_is_imported() -> None:
    """In an interpreter of its own."""
    program = (
        "import sys\n"
        "from furiosa_npu.hardware.reading import Roots\n"
        "from furiosa_npu.node_labeller import agent, command, label_keeper, outlook, publishing, settings\n"
        f"told = settings.Settings(**{SETTINGS._replace(kubeconfig='k')._asdict()!r})\n"
        "assert outlook.outlook(told, Roots('/dev', '/sys'))[1] is None\n"
        "assert publishing.publishing(told).board.where == 'node n1'\n"
        "print(sorted(name for name in sys.modules if name.startswith('furiosa_npu.')))\n"
    )
    told = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True).stdout
    for wanted in ("more_labels", "card_facts", "features_file", "node_feature", "allocation", "watch", "cdi"):
        assert wanted not in told


def test_the_lock_is_looked_at_where_its_label_is_wanted(tmp_path: Path) -> None:
    """And a folder that is not there is said to be unknown, not nobody."""
    roots = _tree(tmp_path)
    lock = PlaneLock(f"{tmp_path}/state", "dra")
    assert lock.take() is None
    there = SETTINGS._replace(labels=("plane",), plane_dir=f"{tmp_path}/state")
    sights = []
    for settings in (there, there._replace(plane_dir="/none")):
        lookout, more = outlook(settings, roots)
        assert more is not None
        assert more.names == (PLANE_LABEL,)
        sights.append(lookout.look(True))
    reason = "/none: No such file or directory: it cannot be told whose agent hands out the cards"
    assert [(sight.plane, sight.plane_failure) for sight in sights] == [("dra", None), (None, reason)]


@pytest.mark.parametrize("labels", [(), ("count",), ("plane",)])
def test_claims_are_looked_for_whatever_labels_are_wanted(tmp_path: Path, labels: tuple[str, ...]) -> None:
    """Where the option says."""
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi/npu.furiosa.ai-claim_u1.json").touch()
    told = SETTINGS._replace(labels=labels, plane_dir=str(tmp_path), claims_dir=f"{tmp_path}/cdi")
    lookout, _ = outlook(told, _tree(tmp_path))
    assert lookout.look(True).claims == ("u1",)


def test_the_lock_is_left_alone_where_it_is_not_wanted(tmp_path: Path) -> None:
    """No folder, no failure."""
    lookout, more = outlook(SETTINGS._replace(labels=("count",)), _tree(tmp_path))
    assert more is not None
    assert lookout.look(True).plane_failure is None
