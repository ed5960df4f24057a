"""How warm the cards are, at `/metrics`: the value that moves, which events and reasons leave out."""

from furiosa_npu.agent.metrics import Metric
from furiosa_npu.allocation.pool import Pool


def temperatures(pool: Pool) -> Metric:
    """By card and sensor, in degrees Celsius, as last read; none of a card that does not answer or is gone."""
    units = [unit for unit in sorted(pool.values()) if unit.card.unanswered is None and unit.verdict.state != "gone"]
    return Metric(
        "furiosa_npu_temperature_celsius",
        "gauge",
        "What a sensor of the card told last: each cycle where it is held against a bound.",
        tuple(
            ({"uuid": unit.id, "name": unit.card.name, "sensor": label}, value / 1000)
            for unit in units
            for label, value in {
                sensor.label: sensor.value for sensor in unit.card.sensors if sensor.kind == "temp"
            }.items()
        ),
    )
