"""What `/livez` and `/readyz` answer: 200 only while every part does its work, else 503 with the part that does not."""

from collections.abc import Sequence

import pytest

from furiosa_npu.watch.pages import STALE_CYCLES, live, ready

CYCLE_SECONDS = 2.0
NOW = 1000.0
MOST = STALE_CYCLES * CYCLE_SECONDS
OK = (200, "ok\n")


@pytest.mark.parametrize(
    ("age", "answer"),
    [
        (0.0, OK),
        (MOST, OK),
        (MOST + 1, (503, "loop: the last turn was 21 s ago, expected at most 20 s\n")),
        (600.0, (503, "loop: the last turn was 600 s ago, expected at most 20 s\n")),
    ],
)
def test_alive_as_long_as_the_loop_comes_round(age: float, answer: tuple[int, str]) -> None:
    """Ten cycles without a turn are too long."""
    assert live(NOW - age, NOW, CYCLE_SECONDS) == answer


STREAM = ("furiosa.ai/npu", "not registered with the kubelet yet")
OLD = "scan: the last one is 99 s old, expected at most 20 s\n"
FOLDER = ("alpha.furiosa.ai/npu", "/var/lib/kubelet/device-plugins/x.sock: Permission denied")


@pytest.mark.parametrize(
    ("troubles", "scanned_at", "answer"),
    [
        ((), NOW, OK),
        ((), NOW - MOST, OK),
        ((), NOW - MOST - 1, (503, "scan: the last one is 21 s old, expected at most 20 s\n")),
        ((), None, (503, "scan: no card was looked at yet\n")),
        ((STREAM,), NOW, (503, "furiosa.ai/npu: not registered with the kubelet yet\n")),
        (
            (FOLDER, STREAM),
            NOW - 99,
            (503, f"{FOLDER[0]}: {FOLDER[1]}\n{STREAM[0]}: {STREAM[1]}\n{OLD}"),
        ),
    ],
)
def test_ready_while_no_part_is_in_trouble_and_the_scan_is_fresh(
    troubles: Sequence[tuple[str, str]], scanned_at: float | None, answer: tuple[int, str]
) -> None:
    """Else a line for each part that fails, with its reason."""
    assert ready(troubles, scanned_at, NOW, CYCLE_SECONDS) == answer
