"""A card is offered again two seconds after its driver is well, whichever of its files was bad."""

from pathlib import Path

import pytest

from tests.unit.readings_host import NPU, Host


@pytest.mark.parametrize("file", ["heartbeat", "version", "busname"])
def test_a_file_that_is_well_again_is_read_within_two_cycles(tmp_path: Path, file: str) -> None:
    """As when a driver is loaded, and shows its version a moment later than its device files."""
    host = Host(tmp_path)
    place = next(Path(host.simulation.roots.sysfs, "class/rngd_mgmt").glob("*npu2mgmt")) / file
    good = place.read_text()
    host.write(2, file, "")
    bad = [reading.key for reading in host.look(anew=True) if reading.problems]
    assert bad == [NPU[2]]
    host.write(2, file, good.strip())
    host.now += 1.0
    host.look()
    host.now += 1.0
    assert [reading.problems for reading in host.look()] == [(), (), ()]


@pytest.mark.parametrize(("file", "cycles"), [("heartbeat", 1), ("version", 9), ("busname", 9)])
def test_a_file_that_goes_bad_is_seen_when_it_is_read(tmp_path: Path, file: str, cycles: int) -> None:
    """docs/health.md: what hardly ever moves is read of one card each three seconds, and here are three."""
    host = Host(tmp_path)
    host.look(anew=True)
    host.cycle()  # in which the whole look of the turn falls on another card
    host.write(2, file, "")
    seen = []
    for _ in range(cycles):
        host.now += 1.0
        seen.append([bool(reading.problems) for reading in host.look()])
    assert seen[-1] == [False, False, True]
