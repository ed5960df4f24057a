"""A hundred thousand driver files that no driver should write: refused, or read as what they say, never made up."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.reading import Reading
from tests.fuzz.formats import FORMATS, Format, check
from tests.fuzz.texts import ODD, malformed, spliced
from tests.fuzz.trees import files_of, files_of_now, is_said
from tests.unit.test_hardware_cards import make_tree

TEXTS_EACH = 3000
"""for each of the formats: 69,000"""
TREES = 2000
FILES_A_TREE = 20
RUNS = 100_000
"""of the fuzzer"""


def _texts(valid: tuple[str, ...]) -> st.SearchStrategy[str]:
    other = st.sampled_from(ODD) | st.text(max_size=8)
    near = st.builds(spliced, st.sampled_from(valid), st.integers(0, 200), st.integers(0, 12), other)
    return near | st.text(max_size=40)


def test_there_are_a_hundred_thousand_of_them() -> None:
    """Each test below counts its own."""
    assert TEXTS_EACH * len(FORMATS) + TREES * FILES_A_TREE >= 100_000


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_a_value_is_what_the_text_says_or_there_is_none(format: Format) -> None:
    """Good texts are read; of mutated, random and long ones each is refused in words or read to the digit."""
    taken = [check(format, text) for text in format.valid]
    assert all(taken) or not any(taken)  # a driver's version that tells no generation refuses all
    count = 0

    @settings(max_examples=TEXTS_EACH, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(text=_texts(format.valid))
    def generated(text: str) -> None:
        nonlocal count
        count += 1
        check(format, text)

    generated()
    assert count >= TEXTS_EACH


def test_a_reading_is_what_the_files_say_and_no_card_s_files_touch_another(tmp_path: Path) -> None:
    """Of one card files are made bad: its facts are said or absent with the path, the others' stay as they were."""
    roots = make_tree(tmp_path)
    sound = {card.key: card for card in read_cards(roots)}
    files = {key: tuple(files_of(roots.sysfs, card)) for key, card in sound.items()}
    written = taken = refused = 0
    for seed in range(TREES):
        random = Random(seed)  # noqa: S311 - the same trees each time
        victim = random.choice(list(sound))
        good = {said.path: Path(said.path).read_bytes() for said in files[victim]}
        bad = {path: malformed(good[path], random) for path in random.sample(sorted(good), FILES_A_TREE)}
        for path, content in bad.items():
            Path(path).write_bytes(content)
        cards = {card.key: card for card in read_cards(roots)}
        for key, card in sound.items():
            assert key == victim or _own(cards[key]) == card, f"seed {seed}"
        for said in files_of_now(files[victim], sound[victim], cards[victim]):
            answer = is_said(said, (good | bad)[said.path], cards[victim])
            taken += answer
            refused += not answer
        for path in bad:
            Path(path).write_bytes(good[path])
        written += len(bad)
    assert {card.key: card for card in read_cards(roots)} == sound
    assert written == TREES * FILES_A_TREE
    assert min(taken, refused) > written // 4


def test_a_search_along_the_parsers_branches_finds_nothing() -> None:
    """The fuzzer, for the same inputs each time."""
    command = [sys.executable, "-m", "tests.fuzz.driver_files", "--runs", str(RUNS)]
    found = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert f"Done {RUNS} runs" in found.stderr


def _own(card: Reading) -> Reading:
    """Without what is said of two cards that call themselves the same."""
    doubles = ("uuid ", "pci_bdf ")
    return card._replace(problems=tuple(each for each in card.problems if not each.path.startswith(doubles)))
