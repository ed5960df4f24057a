"""What must not be forgotten when the agent ends, in a small file on the host that is written only when it changes."""

import json
import os
from collections.abc import Mapping
from typing import Any

from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.health.recall import RecallError, from_document, to_document
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.patient_reader import PatientReader

FILE_NAME = "health.json"
_MAXIMUM_BYTES = 1 << 20
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class MemoryFile:
    """The file in `folder`. Where it cannot be written the agent works on, and says what it may forget.

    Without the plane's lock in the same folder (plane.py) nothing is handed out.
    """

    def __init__(self, folder: str, reader: PatientReader, conditions: Conditions) -> None:
        self._path = f"{folder}/{FILE_NAME}"
        self._reader = reader
        self._conditions = conditions
        self._boot_id = boot_id()
        self._written: dict[str, Any] | None = None

    def read(self) -> dict[str, Verdict]:
        """What the last agent on this host knew, by unit id; of another boot, or without a file, nothing."""
        try:
            with open(self._path, encoding="utf-8") as file:
                document = json.loads(file.read(_MAXIMUM_BYTES))
            remembered = from_document(document, self._boot_id)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError, RecallError) as error:
            reason = f"{self._path}: {error}: what was known of cards is forgotten, and the file written anew"
            self._conditions.remark("memory", reason)
            return {}
        self._written = document
        return remembered

    async def keep(self, verdicts: Mapping[str, Verdict]) -> None:
        """Writes what of them must be remembered, where the file says another thing; a disk that hangs keeps nobody."""
        document = to_document(self._boot_id, verdicts)
        if document == self._written:
            return
        job = Job(self._path, Files(), lambda: (document, _write(self._path, json.dumps(document, indent=1))))
        for written, failure in (await self._reader.ask([job])).values():
            if failure is None:
                self._written = written
                self._conditions.well("memory")
            else:
                self._conditions.remark("memory", f"{failure}: a restart of this agent forgets what cards did")


def _write(path: str, text: str) -> str | None:
    """Beside, and renamed; why it failed, or None."""
    beside = f"{path}.new"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None


def boot_id() -> str:
    """Another one after each start of the machine (random(4))."""
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
