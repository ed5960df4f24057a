"""docs/claims.md says what a claim may ask for, and each reason for which it is refused."""

import fcntl
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from furiosa_npu.dra_driver.claim import NotFetched, parse_claim
from furiosa_npu.dra_driver.claim_cdi import file_name
from furiosa_npu.dra_driver.fields import FieldError
from furiosa_npu.dra_driver.npu_config import DRIVERS_OWN, NpuConfig
from furiosa_npu.dra_driver.state_file import FILE_NAME, LOCK_NAME
from tests.docs.markdown import REPOSITORY, blocks, code, tables
from tests.unit.claims import DRIVER, UIDS, claim, claim_document, config, part, result, whole
from tests.unit.readings import warboy
from tests.unit.test_dra_driver_preparer import SERVE, TRAIN, Desk

DOCUMENT = REPOSITORY / "docs/claims.md"


def test_the_example_is_one_that_the_driver_takes() -> None:
    """Its configuration, as the scheduler copies it into a claim's allocation."""
    (example,) = (yaml.safe_load(block.text) for block in blocks(DOCUMENT) if block.language == "yaml")
    devices = example["spec"]["spec"]["devices"]
    configs = [entry | {"source": "FromClaim"} for entry in devices["config"]]
    parsed = claim("train", [result("npu-w0", devices["requests"][0]["name"])], configs)
    assert parsed.results is not None
    assert parsed.config_of(parsed.results[0]) == NpuConfig("single", {"FURIOSA_LOG_LEVEL": "debug"})


def test_the_keys_and_the_drivers_own_names_are_the_codes() -> None:
    """The table's, as the error for an unknown key lists them, and those that the text keeps for the driver."""
    (keys,) = (table for table in tables(DOCUMENT) if table[0][0] == "Key")
    named = ["apiVersion", "kind", *(code(row[0])[0] for row in keys[1:])]
    with pytest.raises(FieldError, match=f"unknown key, expected {', '.join(named)}$"):
        claim("train", [], [config({"x": 1})])
    (kept,) = re.findall(r"^whoever writes the pod\. (.*) are the driver's\.$", DOCUMENT.read_text(), re.MULTILINE)
    assert set(code(kept)) == {"NPU_*", *DRIVERS_OWN}


def _fetched(change: Callable[[dict[str, Any]], Any]) -> Callable[[Desk], None]:
    def changed(desk: Desk) -> None:
        document = claim_document("train", [result("npu-w0")])
        change(document)
        try:
            desk.claims[TRAIN] = parse_claim(document, DRIVER)
        except FieldError as error:
            desk.claims[TRAIN] = NotFetched(str(error))

    return changed


def _results(*results: dict[str, Any]) -> Callable[[Desk], None]:
    return _fetched(lambda document: document["status"]["allocation"]["devices"].update(results=list(results)))


def _holds(desk: Desk) -> None:
    desk.allocated(SERVE, "npu-w0")
    desk.prepared(SERVE)
    desk.allocated(TRAIN, "npu-w0")


def _shares(desk: Desk) -> None:
    desk.looks = {"npu-w0": whole(warboy(0)), "npu-w0-pe0": part(warboy(0), 0)}
    _results(result("npu-w0", "a"), result("npu-w0-pe0", "b"))(desk)


def _moved(desk: Desk) -> None:
    desk.allocated(TRAIN, "npu-w0")
    desk.prepared(TRAIN)
    desk.allocated(TRAIN, "npu-w1")


def _failed(desk: Desk) -> None:
    desk.looks = {"npu-w0": whole(warboy(0), "npu0 has failed: not alive")}
    desk.allocated(TRAIN, "npu-w0")


def _with(change: Callable[[Desk], Any]) -> Callable[[Desk], None]:
    def changed(desk: Desk) -> None:
        desk.allocated(TRAIN, "npu-w0")
        change(desk)

    return changed


def _hangs(desk: Desk) -> None:
    desk.allocated(TRAIN, "npu-w0")
    desk.open_files.append(open(desk.path.with_name(LOCK_NAME), "rb"))  # noqa: SIM115  # as long as the lock is held
    fcntl.flock(desk.open_files[0], fcntl.LOCK_EX)


REFUSED: list[Callable[[Desk], None]] = [
    lambda desk: None,
    _fetched(lambda document: document["metadata"].update(uid=UIDS[9])),
    _fetched(lambda document: document["status"].pop("allocation")),
    _results(result("gpu-0") | {"driver": "gpu.example.com"}),
    _fetched(lambda document: document["status"].pop("reservedFor")),
    _results(result("npu-w0", pool="node-2")),
    _results(result("npu-x")),
    _failed,
    _holds,
    _shares,
    _moved,
    _fetched(lambda document: document["status"]["allocation"]["devices"]["config"].append(config({"x": 1}))),
    _with(lambda desk: (desk.cdi / file_name(TRAIN.uid)).mkdir()),
    _with(lambda desk: Path(f"{desk.path}.new").mkdir()),
    _hangs,
    _with(lambda desk: desk.path.write_text("{")),
]


def _reasons(folder: Path) -> Iterator[str]:
    for number, change in enumerate(REFUSED):
        (folder / str(number)).mkdir()
        desk = Desk(folder / str(number))
        with desk.store.locked() as store:
            store.state.write({})
        change(desk)
        yield desk.refused(TRAIN)


def test_each_reason_of_the_table_is_one_that_the_driver_gives(tmp_path: Path) -> None:
    """In the table's order, and the driver has none that the table lacks."""
    (table,) = (table for table in tables(DOCUMENT) if table[0][0] == "In the message")
    said = [code(row[0])[0] for row in table[1:]]
    reasons = list(_reasons(tmp_path))
    assert len(said) == len(reasons)
    for text, reason in zip(said, reasons, strict=True):
        assert text in reason


def test_the_files_are_called_as_the_text_says() -> None:
    """The state's, and a claim's."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"`{FILE_NAME}`" in text
    assert f"`{file_name('UID')}`" in text
