"""The file that nfd-worker reads, on a real file system."""

import os
from pathlib import Path

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.node_labeller.board import Standing
from furiosa_npu.node_labeller.cleanup import Cleanup, cleanup
from furiosa_npu.node_labeller.features_file import FeaturesFile, ask, parse
from furiosa_npu.node_labeller.label_keeper import LabelKeeper
from furiosa_npu.node_labeller.labels import FAMILY_LABEL, HWTYPE_LABEL, CardType, Sight

WARBOY = Sight(("warboy",), (), (), (CardType("npu0", "warboy", True, "haps"),))
NOTHING = Sight((), (), (), ())
TEXT = f"""# furiosa-npu-labeller writes this file, and nobody else.
{FAMILY_LABEL}=warboy
{HWTYPE_LABEL}=haps
"""


def _settled(keeper: LabelKeeper, now: float = 0.0) -> list[ApiRequest]:
    """All that the keeper asks, answered."""
    asked: list[ApiRequest] = []
    while (request := keeper.due(now)) is not None:
        asked.append(request)
        keeper.answered(request, ask(request), now, 0.0)
    return asked


def test_the_file_holds_the_labels_and_goes_with_them(tmp_path: Path) -> None:
    """Written in one step; read back by the next start, which writes nothing; gone with the hardware."""
    path = f"{tmp_path}/furiosa-npu"
    keeper = LabelKeeper(FeaturesFile(str(tmp_path)), None)
    keeper.look(WARBOY, 0.0)
    assert [request.method for request in _settled(keeper)] == ["GET", "PUT"]
    assert (Path(path).read_text(), os.listdir(tmp_path), Path(path).stat().st_mode & 0o777) == (
        TEXT,
        ["furiosa-npu"],
        0o644,
    )
    after_restart = LabelKeeper(FeaturesFile(str(tmp_path)), None)
    after_restart.look(WARBOY, 0.0)
    assert _settled(after_restart) == [ApiRequest("GET", path)]
    after_restart.look(NOTHING, 10.0)
    after_restart.look(NOTHING, 15.0)
    assert _settled(after_restart, 15.0) == [ApiRequest("DELETE", path)]
    assert (os.listdir(tmp_path), after_restart.unsettled()) == ([], None)


def test_what_stands_in_it_besides_is_the_labellers_to_remove(tmp_path: Path) -> None:
    """A label of an option that was taken away; what is not known leaves the others."""
    (tmp_path / "furiosa-npu").write_text(f"{TEXT}furiosa.ai/npu.count=8\n")
    keeper = LabelKeeper(FeaturesFile(str(tmp_path)), None)
    keeper.look(WARBOY._replace(failures=("EIO",)), 0.0)
    _settled(keeper)
    assert (tmp_path / "furiosa-npu").read_text() == TEXT


def test_a_folder_that_cannot_be_had_is_named_and_tried_again(tmp_path: Path) -> None:
    """With its reason, and whose folder it is."""
    (tmp_path / "file").write_text("")
    keeper = LabelKeeper(FeaturesFile(f"{tmp_path}/file"), None)
    keeper.look(WARBOY, 0.0)
    request = keeper.due(0.0)
    assert request is not None
    outcome = keeper.answered(request, ask(request), 0.0, 1.0)
    assert outcome.complaint == (
        f"{tmp_path}/file/furiosa-npu: cannot be read: Not a directory: a part of the path is no folder; "
        "it is Node Feature Discovery's folder"
    )
    assert (keeper.unsettled(), keeper.retry_at()) == (outcome.complaint, 1.0)


def test_a_file_is_read_as_nfd_worker_reads_it() -> None:
    """Lines without a value, comments, white space."""
    assert parse("# +expiry-time=2026\n a=1 \n\nb\nc=d=e\n") == {"a": "1", "b": "true", "c": "d=e"}
    standing = FeaturesFile("/f").standing(ApiRequest("GET", "/f/furiosa-npu"), Answer(200, None, None))
    assert standing == Standing({}, frozenset())


def test_cleanup_removes_the_file(tmp_path: Path) -> None:
    """And says what was in it, then that there is nothing."""
    (tmp_path / "furiosa-npu").write_text(TEXT)
    board = FeaturesFile(str(tmp_path))
    where = f"{tmp_path}/furiosa-npu"
    report = f"removed {FAMILY_LABEL}=warboy from {where}\nremoved {HWTYPE_LABEL}=haps from {where}"
    assert cleanup(board, ask) == Cleanup(report, None)
    assert os.listdir(tmp_path) == []
    nothing = f"{where} has neither {FAMILY_LABEL} nor {HWTYPE_LABEL}: nothing to remove"
    assert cleanup(board, ask) == Cleanup(nothing, None)
