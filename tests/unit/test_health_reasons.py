"""A reason tells the cause that holds now, and stays in the same words while only its value moves."""

from furiosa_npu.hardware.reading import Problem, Reading, Sensor
from furiosa_npu.health.judge import Circumstances, Rules, judge
from furiosa_npu.health.verdict import Verdict
from tests.unit.readings import warboy

ALIVE = "/sys/x/alive"


def reasons(*readings: Reading, seconds: float = 1.0) -> list[str]:
    """After each look, which come so often."""
    told: list[Verdict] = []
    for number, reading in enumerate(readings):
        told.append(judge(told[-1] if told else None, reading, Circumstances(), Rules(), number * seconds))
    return [verdict.reason for verdict in told]


def hot(**celsius: int) -> Reading:
    """With critical values of 100 and 90 degrees."""
    critical = {"PEAK": 100_000, "NE": 90_000}
    sensors = [
        Sensor("temp", number, label, value * 1000, critical[label])
        for number, (label, value) in enumerate(celsius.items(), 1)
    ]
    return warboy()._replace(sensors=tuple(sensors))


def errors(axi: int, device: int) -> Reading:
    return warboy()._replace(error_counters=(("AXI Post Error", axi), ("Post Error", device)))


def broken(found: str) -> Reading:
    return warboy()._replace(problems=(Problem(ALIVE, found, "0 or 1"),))


def test_the_sensor_that_is_too_hot_is_named_and_its_bound() -> None:
    """Not the one that was too hot before it."""
    assert reasons(hot(PEAK=120, NE=40), hot(PEAK=130, NE=120), hot(PEAK=40, NE=120)) == [
        "sensor PEAK is over its critical value of 100 °C",
        "sensor PEAK is over its critical value of 100 °C",
        "sensor NE is over its critical value of 90 °C",
    ]


def test_a_second_sensor_near_its_limit_is_no_news() -> None:
    """The one that was told stays so as long as it is too hot itself."""
    readings = [hot(PEAK=celsius, NE=120) for celsius in (40, 120, 40, 120, 40)]
    assert reasons(*readings) == ["sensor NE is over its critical value of 90 °C"] * 5


def test_the_counter_that_grows_is_named_as_long_as_it_does() -> None:
    """A second one that grows beside it is no news; one that grows alone is, also where its name ends another's."""
    assert reasons(errors(0, 0), errors(1, 0), errors(2, 1), errors(2, 2), errors(2, 3), errors(2, 4)) == [
        "",
        "errors are counted: AXI Post Error (atr_error)",
        "errors are counted: AXI Post Error (atr_error)",
        "errors are counted: AXI Post Error (atr_error)",
        "errors are counted: Post Error (atr_error)",
        "errors are counted: Post Error (atr_error)",
    ]


def test_what_is_the_matter_with_a_file_is_told_and_its_first_value() -> None:
    """Missing, closed or holding what it should not: each is another matter; rubbish that changes is not."""
    found = ("'2'", "'3'", "no such file", "EIO (Input/output error)", "a NUL byte: '1\\x00'", "'4'")
    assert reasons(*map(broken, found)) == [
        f"{ALIVE}: found '2', expected 0 or 1",
        f"{ALIVE}: found '2', expected 0 or 1",
        f"{ALIVE}: found no such file, expected 0 or 1",
        f"{ALIVE}: found EIO (Input/output error), expected 0 or 1",
        f"{ALIVE}: found a NUL byte: '1\\x00', expected 0 or 1",
        f"{ALIVE}: found '4', expected 0 or 1",
    ]
