"""What the test command tries again."""

from scripts.checks.tries import PAUSES_SECONDS, tried


def told(*statuses: int) -> tuple[int, list[float]]:
    """What comes of a program that ends so, try by try, and the pauses that were made."""
    ends, pauses = iter(statuses), list[float]()
    status = tried(lambda: next(ends), pauses.append)
    assert list(ends) == []
    return status, pauses


def test_a_program_that_is_well_is_not_tried_again() -> None:
    """Nor is anything waited for."""
    assert told(0) == (0, [])


def test_a_program_that_fails_is_tried_again_until_it_is_well() -> None:
    """Each time after a longer pause."""
    assert told(100, 2, 0) == (0, [*PAUSES_SECONDS[:2]])
    assert sorted(PAUSES_SECONDS) == [*PAUSES_SECONDS]


def test_of_one_that_is_never_well_the_last_try_counts() -> None:
    """After a few of them."""
    statuses = range(1, len(PAUSES_SECONDS) + 2)
    assert told(*statuses) == (statuses[-1], [*PAUSES_SECONDS])
