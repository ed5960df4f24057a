"""What a driver that retires says."""

import json

from furiosa_npu.agent.log import Log
from furiosa_npu.dra_driver.retirement import Retirement

NONE_LEFT = "no claim is left: this driver can be deleted, and the device plugin hands out the cards"
ONE_LEFT = "1 claims are prepared yet: their pods have to end"


def told(*counts: tuple[int, bool]) -> list[str]:
    """The messages, of counts of claims and whether there can be no more."""
    lines: list[str] = []
    retirement = Retirement(Log("json", write=lines.append))
    for left, is_last in counts:
        retirement.tell(left, is_last=is_last)
    return [json.loads(line)["message"] for line in lines]


def test_how_many_claims_are_left_is_said_where_it_is_news_and_then_that_none_is() -> None:
    """Its log tells when it can be deleted."""
    said = told((2, True), (2, True), (1, True), (0, True), (0, True))
    assert said == ["2 claims are prepared yet: their pods have to end", ONE_LEFT, NONE_LEFT]


def test_that_none_is_left_is_said_when_there_can_be_no_more() -> None:
    """Until then an older instance prepares, and the scheduler allocates what is published."""
    assert told((0, False), (1, False), (0, False), (1, False), (0, False), (0, True)) == [ONE_LEFT, NONE_LEFT]


def test_a_claim_that_is_left_after_all_is_said() -> None:
    """Whoever reads the log's last line reads the truth."""
    assert told((0, True), (1, False), (0, True)) == [NONE_LEFT, ONE_LEFT, NONE_LEFT]
