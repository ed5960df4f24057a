"""Looks at the node: what of an NPU is there, and each card's hardware type."""

import os
from collections.abc import Callable

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.presence import Presence, look
from furiosa_npu.hardware.reading import Problem, Reading, Roots
from furiosa_npu.node_labeller.claims import prepared_claims
from furiosa_npu.node_labeller.labels import CardType, Sight


class Lookout:
    """Takes a look when told. Nothing raises: what fails stands in the sight's `failures` or in a card's `reason`.

    Whether something is there is looked at each time, which is cheap. The cards are read only when something happened
    or was not known before: a platform type never changes while its driver is loaded, and reading everything that a
    driver shows asks the card's firmware. Where labels want its version, a card that tells none is read each time.
    """

    def __init__(
        self,
        roots: Roots,
        tell: Callable[[Reading], CardType] | None = None,
        plane: Callable[[], str | None] = lambda: None,
        claims_dir: str | None = None,
    ) -> None:
        """`tell`: what of a card is wanted (default: its type alone); `plane`: whose agent hands out, or OSError;
        `claims_dir`: where claims have their specifications (None: nobody asks).
        """
        self._roots = roots
        self._tell = tell or card_type
        self._plane = plane
        self._claims_dir = claims_dir
        self._presence: Presence | None = None
        self._cards: tuple[CardType, ...] = ()

    def look(self, fresh: bool) -> Sight:
        """`fresh`: something happened since the last look, or nobody would know."""
        presence = look(self._roots)
        roots = _unusable_roots(self._roots)
        if fresh or presence != self._presence or not all(map(_is_settled, self._cards)):
            readings = read_cards(self._roots)
            self._cards = tuple(
                self._tell(reading) for reading in readings if reading.pci_bdf not in presence.unknown_devices
            )
        self._presence = presence
        failures = tuple(str(problem) for problem in (*roots, *presence.problems))
        sight = Sight(presence.families, presence.unknown_devices, failures, self._cards)
        if sight.nothing and self._claims_dir is not None:
            sight = self._with_claims(sight, self._claims_dir)
        try:
            return sight._replace(plane=self._plane())
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}: it cannot be told whose agent hands out the cards"
            return sight._replace(plane_failure=reason)

    def _with_claims(self, sight: Sight, claims_dir: str) -> Sight:
        try:
            return sight._replace(claims=prepared_claims(claims_dir))
        except OSError as error:
            problem = Problem(claims_dir, error.strerror or "an error", "the folder of CDI specifications")
            return sight._replace(failures=(str(problem),))


def card_type(reading: Reading) -> CardType:
    """What the card says of its hardware type, or why that is not known."""
    if not reading.management:
        return CardType(reading.name, reading.family, False, None, "no driver has taken it, or it has not finished")
    for problem in reading.problems:
        if problem.path.endswith("/platform_type"):
            return CardType(reading.name, reading.family, False, None, str(problem))
    return CardType(reading.name, reading.family, True, reading.hwtype)


def _is_settled(card: CardType) -> bool:
    """It will say the same as long as nothing happens. A firmware that is starting has no version yet."""
    facts = card.facts
    told = facts is None or (not facts.unread and None not in (facts.driver_version, facts.firmware_version))
    return card.known and told


def _unusable_roots(roots: Roots) -> list[Problem]:
    """A root that is not there, or not mounted, looks like a node without NPUs and is none."""
    problems = []
    for path, what in ((roots.devfs, "of device files"), (roots.sysfs, "of the driver's facts")):
        try:
            names = os.listdir(path)
        except OSError as error:
            problems.append(Problem(path, error.strerror or "an error", f"the folder {what}"))
            continue
        if path == "/sys" and "class" not in names:
            problems.append(Problem(path, "no class/ in it", "the kernel's sysfs: is it mounted into this container?"))
    return problems
