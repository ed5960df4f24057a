"""Held units of which nothing is seen: after an agent's restart they are known by what is said of them alone. Pure."""

from collections.abc import Iterable, Mapping

from furiosa_npu.allocation.gone import why_gone
from furiosa_npu.allocation.ledger import GivenOf
from furiosa_npu.allocation.pool import Pool, Unit
from furiosa_npu.allocation.slicing import Slicing
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.verdict import Verdict


def absent(
    pool: Pool,
    held: Iterable[str],
    given: GivenOf,
    remembered: Mapping[str, Verdict],
    slicing: Slicing,
    rules: Rules,
    now: float,
) -> Pool:
    """Those that the pool, of which every card was read, does not have, as gone; and the cards that they are of.

    `remembered`: verdicts from before the agent's start; `now`: seconds.
    """
    found: dict[str, Unit] = {}
    present = {unit.card_id: unit.card for unit in pool.values() if unit.verdict.state != "gone"}
    for unit_id in held:
        told = None if unit_id in pool else given(unit_id)
        if told is None or told.reading is None:
            continue
        (card_id,) = told.cards
        for name, reading in ((slicing.whole(card_id), told.reading._replace(pes=None)), (unit_id, told.reading)):
            if name not in pool:
                circumstances = Circumstances(held=True, gone=why_gone(card_id, reading, present))
                verdict = judge(remembered.get(name), None, circumstances, rules, now)
                found[name] = Unit(name, card_id, reading, verdict)
    return found
