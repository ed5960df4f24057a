"""The CDI folder, as far as it holds the specifications of claims: one file a claim."""

import json
import os

from furiosa_npu.cdi import spec_file
from furiosa_npu.cdi.spec_file import SpecFileError
from furiosa_npu.cdi.specification import SpecificationError, to_text
from furiosa_npu.dra_driver.claim_cdi import file_name, specification, uid_of_file
from furiosa_npu.dra_driver.prepared import PreparedClaim
from furiosa_npu.linux.atomic_file import begun


class ClaimFilesError(Exception):
    """The message names the file and what is wrong with it or its folder."""


class ClaimFiles:
    """The files in `folder`. Whoever calls holds the lock of the state file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def put(self, claim: PreparedClaim) -> None:
        """Writes the claim's file, whole or not at all, unless it stands there so. Raises ClaimFilesError."""
        path = self._path(claim.named.uid)
        try:
            text = to_text(specification(claim))
            if _text(path) != text:
                spec_file.write(path, text)
        except SpecificationError as error:
            raise ClaimFilesError(f"{path}: {error}") from error
        except SpecFileError as error:
            raise ClaimFilesError(str(error)) from error

    def remove(self, uid: str) -> None:
        """Removes the claim's file if there is one. Raises ClaimFilesError."""
        self._remove(self._path(uid))

    def uids(self) -> tuple[str, ...]:
        """Of the claims that have a file. Raises ClaimFilesError."""
        return tuple(uid for name in self._names() if (uid := uid_of_file(name)) is not None)

    def remove_begun(self) -> None:
        """Removes what a driver that died had begun to write. Raises ClaimFilesError."""
        for name in self._names():
            if uid_of_file(begun(name) or "") is not None:
                self._remove(f"{self._folder}/{name}")

    def specifications(self) -> dict[str, object]:
        """What stands in the files, by claim; None where that cannot be read. Raises ClaimFilesError as `uids`."""
        found: dict[str, object] = {}
        for uid in self.uids():
            try:
                found[uid] = json.loads(_text(self._path(uid)) or "null")
            except (ValueError, RecursionError):
                found[uid] = None
        return found

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ClaimFilesError(f"{self._folder}: {error.strerror}: the CDI folder cannot be read") from error

    def _remove(self, path: str) -> None:
        try:
            spec_file.remove(path)
        except SpecFileError as error:
            raise ClaimFilesError(str(error)) from error

    def _path(self, uid: str) -> str:
        return f"{self._folder}/{file_name(uid)}"


def _text(path: str) -> str | None:
    """None: there is none, or none that can be read."""
    try:
        return spec_file.read(path)
    except SpecFileError:
        return None
