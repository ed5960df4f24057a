"""A host of three Renegades whose drivers answer when they are told to, and the readings of its cards."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from furiosa_npu.hardware.reading import Reading
from furiosa_npu.simulator import Simulation, parse_scenario
from furiosa_npu.watch.card_readings import CardReadings
from tests.unit.desk import Desk

PATIENCE = 2.0
NPU = ("renegade npu0", "renegade npu1", "renegade npu2")
UUIDS = tuple(f"00000000-0000-4000-8000-{number:012}" for number in range(3))
HOST = "host"


class Host:
    """Three Renegades, their readings, and a clock that stands still unless told."""

    def __init__(self, folder: Path) -> None:
        cards = "\n".join(f"- {{family: renegade, uuid: {uuid}}}" for uuid in UUIDS)
        self.simulation = Simulation.create(str(folder), parse_scenario(f"cards:\n{cards}"), plain_files=True)
        self.now = 50.0
        self.desk = Desk(PATIENCE, lambda: self.now)
        self.readings = CardReadings(self.simulation.roots, self.desk.as_reader, lambda: self.now)

    def look(self, *, anew: bool = False, is_late: bool = False) -> Sequence[Reading]:
        return asyncio.run(self._look(anew=anew, is_late=is_late))

    async def _look(self, *, anew: bool, is_late: bool) -> Sequence[Reading]:
        return await self.readings.all(anew=anew, is_late=is_late)

    def one(self, card: Reading) -> Reading:
        async def main() -> Reading:
            return await self.readings.one(card)

        return asyncio.run(main())

    def cycle(self, seconds: float = 1.0) -> Sequence[Reading]:
        """The next look, so many seconds later; heartbeats go on."""
        self.now += seconds
        self.simulation.advance(int(seconds))
        return self.look()

    def write(self, card: int, file: str, text: str) -> None:
        path = Path(self.simulation.roots.sysfs, f"class/rngd_mgmt/rngd!npu{card}mgmt", file)
        path.chmod(0o644)
        path.write_text(f"{text}\n")


def keys(readings: Sequence[Reading]) -> list[str]:
    return [reading.key for reading in readings]
