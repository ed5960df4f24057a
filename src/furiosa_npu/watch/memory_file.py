"""What must not be forgotten when the agent ends, in a small file on the host that is written only when it changes."""

import json
from collections.abc import Mapping
from typing import Any

from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reader_threads import Job
from furiosa_npu.hardware.reading import Reading
from furiosa_npu.health.recall import Recalled, RecallError, from_document, to_document
from furiosa_npu.health.verdict import Verdict
from furiosa_npu.linux.atomic_file import remove_begun, replacing
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

    def read(self, now: float) -> Recalled:
        """What the last agent on this host knew; of another boot, or without a file, nothing. `now`: seconds."""
        remove_begun(self._path)
        try:
            with open(self._path, encoding="utf-8") as file:
                document = json.loads(file.read(_MAXIMUM_BYTES))
            recalled = from_document(document, self._boot_id, now)
        except FileNotFoundError:
            return Recalled()
        except (OSError, ValueError, RecursionError, RecallError) as error:
            reason = f"{self._path}: {error}: what was known of cards is forgotten, and the file written anew"
            self._conditions.remark("memory", reason)
            return Recalled()
        if recalled.faults:
            reason = f"{self._path}: {'; '.join(recalled.faults)}: what was known of these cards is forgotten"
            self._conditions.remark("memory", reason)
        self._written = document
        return recalled

    async def keep(self, verdicts: Mapping[str, Verdict], cards: Mapping[str, Reading]) -> None:
        """Writes what of them must be remembered, where the file says another thing; a disk that hangs keeps nobody.

        Both by unit id; `cards`: of units that are cards."""
        document = to_document(self._boot_id, verdicts, cards)
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
    """Two agents may write at once; why it failed, or None."""
    try:
        with replacing(path, 0o644) as file:
            file.write(f"{text}\n".encode())
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None


def boot_id() -> str:
    """Another one after each start of the machine (random(4))."""
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
