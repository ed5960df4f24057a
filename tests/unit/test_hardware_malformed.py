"""A hundred thousand driver files that no driver should write: refused, or read as what they say, never made up."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.formats import FORMATS, Format, check

FILES = 100_000
FILES_EACH = -(-FILES // len(FORMATS))


def _mutated(valid: tuple[str, ...]) -> st.SearchStrategy[str]:
    """A good text with a part of it replaced by something else."""
    # Line ends and digits of other kinds, signs, separators, and numbers too long for any register.
    odd = st.sampled_from(
        [
            *("", "\0", "\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u0661", "\u00b2", "\uff11", " ", "\t"),
            *("-", "+", "_", "0", "1", ":", ": ", "0x", ".", ",", "e3", "nan"),
            *("9" * 20, "18446744073709551616", "f" * 17, "1" * 5000),
        ]
    )
    return st.builds(
        lambda text, start, length, other: (
            text[: start % (len(text) + 1)] + other + text[start % (len(text) + 1) + length :]
        ),
        st.sampled_from(valid),
        st.integers(0, 200),
        st.integers(0, 12),
        odd | st.text(max_size=8),
    )


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_a_value_is_what_the_file_says_or_there_is_none(format: Format) -> None:
    """Good files are read; of mutated, random and long ones each is refused in words or read to the digit."""
    assert [check(format, text) for text in format.valid].count(False) in (0, len(format.valid))

    @settings(max_examples=FILES_EACH, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(text=_mutated(format.valid) | st.text(max_size=40))
    def generated(text: str) -> None:
        check(format, text)

    generated()
