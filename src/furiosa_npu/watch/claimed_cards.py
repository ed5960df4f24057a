"""Which cards prepared claims hold, by the DRA driver's state file: pods of the DRA plane outlive their driver."""

import json
import os
from binascii import crc32
from contextlib import suppress
from typing import Any

from furiosa_npu.allocation.ledger import Holding, Ledger, Observation
from furiosa_npu.watch.kubelet_books import KubeletBooks, PodRef

CLAIMS = "npu.furiosa.ai"
"""The DRA driver's name: in the ledger of the device plugin it stands where a resource name does."""

FILE = "dra/prepared.json"
"""In the state folder that agents of both planes share (dra_driver.state_file writes it)."""

VERSION = 1
_MAXIMUM_BYTES = 4 << 20


class ClaimsUnknown(Exception):
    """What claims hold cannot be told; the message names the file, what was found, and what to do."""


def canonical(value: object) -> str:
    """JSON without spaces, keys in order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def checksum(claims: object) -> str:
    """CRC-32 (ISO-HDLC) of the claims as `canonical` writes them."""
    return f"crc32:{crc32(canonical(claims).encode()):08x}"


class ClaimedCards:
    """Read anew where the file is another than before."""

    def __init__(self, state_dir: str, boot_id: str) -> None:
        self._path = f"{state_dir}/{FILE}"
        self._boot_id = boot_id
        self._seen: tuple[int, int] | None = None
        self._cards: frozenset[str] = frozenset()

    def look(self) -> frozenset[str]:
        """Ids of the cards of which a claim holds a PE in this boot; admin access holds none. Raises ClaimsUnknown."""
        try:
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                with open(self._path, "rb") as file:
                    self._cards = self._held(json.loads(file.read(_MAXIMUM_BYTES)))
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._cards = None, frozenset()
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ClaimsUnknown(
                f"{self._path}: {error}: which cards claims hold cannot be told; run the DRA driver, which makes it "
                "out anew, or drain the node and remove the file"
            ) from error
        return self._cards

    def _held(self, document: Any) -> frozenset[str]:
        if document["version"] != VERSION:
            raise ValueError(f"found version {document['version']!r}, expected {VERSION}")
        if document["checksum"] != checksum(document["claims"]):
            raise ValueError(f"found the checksum {document['checksum']!r}, expected {checksum(document['claims'])}")
        return frozenset(
            str(device["card_id"])
            for claim in document["claims"].values()
            if claim["boot_id"] == self._boot_id
            for request in claim["requests"]
            for device in request["devices"]
            if not device["admin_access"]
        )


class BooksWithClaims:
    """The kubelet's books, and what claims hold beside: to the watch's cycle the same thing."""

    def __init__(self, books: KubeletBooks, claimed: ClaimedCards) -> None:
        self._books = books
        self._claimed = claimed
        self._last: frozenset[Holding] = frozenset()
        self.answered = False

    @property
    def containers(self) -> dict[Holding, tuple[PodRef, ...]]:
        return dict(self._books.containers)

    async def at_start(self) -> Observation:
        return self._with_claims(await self._books.at_start())

    async def observe(self, ledger: Ledger) -> Observation:
        of_pods = Ledger(tuple(entry for entry in ledger.entries if entry[0].resource != CLAIMS))
        seen = await self._books.observe(of_pods)
        if seen.listed is not None and not of_pods.not_listed(seen.listed):
            # Nothing of pods is open, so that the checkpoint was not read; claims end by what their own file says.
            seen = seen._replace(recorded=frozenset(), recorded_is_current=True)
        return self._with_claims(seen)

    def holders(self, holding: Holding) -> tuple[PodRef, ...]:
        return self._books.holders(holding)

    def _with_claims(self, seen: Observation) -> Observation:
        """A file that cannot be read any more leaves what it said before; before the first list it was read."""
        self.answered = self.answered or self._books.answered
        with suppress(ClaimsUnknown):
            self._last = frozenset(Holding(CLAIMS, card) for card in self._claimed.look())
        if seen.listed is not None:
            return seen._replace(listed=seen.listed | self._last)
        return seen._replace(recorded=(seen.recorded or frozenset()) | self._last)
