"""Which cards prepared claims hold, by the DRA driver's state file: pods of the DRA plane outlive their driver."""

import json
import os
from binascii import crc32
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from furiosa_npu.allocation.ledger import Given, Holding, Ledger, Observation
from furiosa_npu.cdi.names import transient_file_name, transient_id
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.kubelet_books import KubeletBooks, PodRef

CLAIMS = "npu.furiosa.ai"
"""The DRA driver's name: in the ledger of the device plugin it stands where a resource name does."""

FILE = "dra/prepared.json"
"""In the state folder that agents of both planes share (dra_driver.state_file writes it)."""

CLAIM_KIND = "npu.furiosa.ai/claim"
"""of the CDI devices of claims, whose specifications are transient ones, by a claim's UID"""

PART = "claims"
"""of the conditions"""

VERSION = 1
_MAXIMUM_BYTES = 4 << 20


class ClaimsUnknown(Exception):
    """What claims hold cannot be told; the message names the file, what was found, and what to do."""


class _NewerVersion(Exception):
    """Of the file, than this agent knows."""


def canonical(value: object) -> str:
    """JSON without spaces, keys in order."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def checksum(claims: object) -> str:
    """CRC-32 (ISO-HDLC) of the claims as `canonical` writes them."""
    return f"crc32:{crc32(canonical(claims).encode()):08x}"


class ClaimedCards:
    """Read anew where the file is another than before."""

    def __init__(self, state_dir: str, cdi_dir: str, boot_id: str) -> None:
        self._path = f"{state_dir}/{FILE}"
        self._cdi_dir = cdi_dir
        self._boot_id = boot_id
        self._seen: tuple[int, int] | None = None
        self._cards: Mapping[str, Given] = {}

    def look(self) -> Mapping[str, Given]:
        """By their ids the cards of which a claim holds a PE in this boot, and what its pods have of them; admin access
        holds none. Raises ClaimsUnknown.
        """
        try:
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                with open(self._path, "rb") as file:
                    self._cards = self._held(json.loads(file.read(_MAXIMUM_BYTES)))
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._cards = None, {}
            self._expect_no_claims()
        except OSError as error:
            raise ClaimsUnknown(
                f"{self._path}: {error.strerror}: which cards claims hold cannot be told; drain the node and move it "
                "away"
            ) from error
        except _NewerVersion as error:
            raise ClaimsUnknown(
                f"{self._path}: {error}: a newer DRA driver wrote it, and which cards claims hold cannot be told; run "
                "agents of that version, or drain the node and remove the file"
            ) from error
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise ClaimsUnknown(
                f"{self._path}: {error}: which cards claims hold cannot be told; run the DRA driver, which makes it "
                "out anew, or drain the node and remove the file"
            ) from error
        return self._cards

    def _expect_no_claims(self) -> None:
        """The driver makes its file before the first CDI file of a claim. Raises ClaimsUnknown."""
        names: list[str] = []
        with suppress(OSError):  # no runtime finds claims' devices there
            names = [name for name in os.listdir(self._cdi_dir) if transient_id(CLAIM_KIND, name) is not None]
        if names:
            raise ClaimsUnknown(
                f"{self._path}: found no file, expected one, since there are CDI files of {len(names)} claims in "
                f"{self._cdi_dir}: which cards claims hold cannot be told; run the DRA driver to make it out anew, or "
                f"drain the node and remove {transient_file_name(CLAIM_KIND, '*')} there"
            )

    def _held(self, document: Any) -> dict[str, Given]:
        version = document["version"]
        if type(version) is int and version > VERSION:
            raise _NewerVersion(f"found version {version}, expected {VERSION}")
        if version != VERSION:
            raise ValueError(f"found version {version!r}, expected {VERSION}")
        if document["checksum"] != checksum(document["claims"]):
            raise ValueError(f"found the checksum {document['checksum']!r}, expected {checksum(document['claims'])}")
        held: dict[str, Given] = {}
        for device in (
            device
            for claim in document["claims"].values()
            if claim["boot_id"] == self._boot_id
            for request in claim["requests"]
            for device in request["devices"]
            if not device["admin_access"]
        ):
            card = str(device["card_id"])
            files = frozenset(str(path).removeprefix("/dev/") for _, path in device["device_nodes"])
            held[card] = Given(files | held[card].files if card in held else files, frozenset({card}))
        return held


class BooksWithClaims:
    """The kubelet's books, and what claims hold beside: to the watch's cycle the same thing."""

    def __init__(self, books: KubeletBooks, claimed: ClaimedCards, conditions: Conditions) -> None:
        self._books = books
        self._claimed = claimed
        self._conditions = conditions
        self._last: Mapping[str, Given] = {}
        self._was_read = False
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
        """A file that cannot be read any more leaves what it said before, and that is said. Before the first list it is
        read, or whoever reads it then says why it is not.
        """
        self.answered = self.answered or self._books.answered
        try:
            self._last = self._claimed.look()
        except ClaimsUnknown as error:
            if self._was_read:
                self._conditions.trouble(PART, f"{error}. What it said last stays in force as long as this agent runs")
        else:
            self._was_read = True
            self._conditions.well(PART)
        held = frozenset(Holding(CLAIMS, card) for card in self._last)
        claimed, of_pods = self._last, seen.given
        seen = seen._replace(given=lambda unit: claimed.get(unit) or of_pods(unit))
        if seen.listed is not None:
            return seen._replace(listed=seen.listed | held)
        return seen._replace(recorded=(seen.recorded or frozenset()) | held)
