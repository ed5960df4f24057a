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
        path = self._path(uid)
        for name in (path, path + _BESIDE):
            try:
                os.unlink(name)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ClaimFilesError(f"{name}: {error.strerror}: the CDI folder cannot be written") from error

    def uids(self) -> tuple[str, ...]:
        """Of the claims that have a file, or the beginning of one. Raises ClaimFilesError."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ClaimFilesError(f"{self._folder}: {error.strerror}: the CDI folder cannot be read") from error
        uids = (uid_of_file(name.removesuffix(_BESIDE)) for name in names)
        return tuple(sorted({uid for uid in uids if uid is not None}))

    def _path(self, uid: str) -> str:
        return f"{self._folder}/{file_name(uid)}"


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_MAXIMUM_BYTES)
    except FileNotFoundError:
        return None
