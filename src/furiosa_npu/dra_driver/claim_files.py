"""The CDI folder, as far as it holds the specifications of claims: one file a claim."""

import json
import os
from contextlib import suppress

from furiosa_npu.dra_driver.claim_cdi import file_name, specification, uid_of_file
from furiosa_npu.dra_driver.prepared import PreparedClaim

_MAXIMUM_BYTES = 4 << 20
_BESIDE = ".new"
"""CDI reads files that end in .json or .yaml alone."""


class ClaimFilesError(Exception):
    """The message names the file and what is wrong with it or its folder."""


class ClaimFiles:
    """The files in `folder`. Whoever calls holds the lock of the state file."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def put(self, claim: PreparedClaim) -> None:
        """Writes the claim's file, whole or not at all, unless it stands there so. Raises ClaimFilesError."""
        path = self._path(claim.named.uid)
        content = (json.dumps(specification(claim), indent=1) + "\n").encode()
        try:
            if _content(path) == content:
                return
            with open(path + _BESIDE, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(path + _BESIDE, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(path + _BESIDE)
            raise ClaimFilesError(f"{path}: {error.strerror}: the CDI folder cannot be written") from error

    def remove(self, uid: str) -> None:
        """Removes the claim's file if there is one. Raises ClaimFilesError."""
        _unlink(self._path(uid))
        _unlink(self._path(uid) + _BESIDE)

    def uids(self) -> tuple[str, ...]:
        """Of the claims that have a file. Raises ClaimFilesError."""
        return tuple(uid for name in self._names() if (uid := uid_of_file(name)) is not None)

    def remove_begun(self) -> None:
        """Removes what a driver that died had begun to write. Raises ClaimFilesError."""
        for name in self._names():
            if name.endswith(_BESIDE) and (uid := uid_of_file(name.removesuffix(_BESIDE))) is not None:
                _unlink(self._path(uid) + _BESIDE)

    def specifications(self) -> dict[str, object]:
        """What stands in the files, by claim; None where that cannot be read. Raises ClaimFilesError as `uids`."""
        found: dict[str, object] = {}
        for uid in self.uids():
            try:
                found[uid] = json.loads(_content(self._path(uid)) or b"null")
            except (OSError, ValueError, RecursionError):
                found[uid] = None
        return found

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ClaimFilesError(f"{self._folder}: {error.strerror}: the CDI folder cannot be read") from error

    def _path(self, uid: str) -> str:
        return f"{self._folder}/{file_name(uid)}"


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ClaimFilesError(f"{path}: {error.strerror}: the CDI folder cannot be written") from error


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MAXIMUM_BYTES)
    except FileNotFoundError:
        return None
