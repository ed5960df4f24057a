"""The devfs root through a mount: plain files that are busy while their PEs are in use."""

import errno
import os
import stat
import threading
from collections.abc import Iterator

import pytest

from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.reading import DeviceFile
from furiosa_npu.simulator import Simulation
from tests.fuse.conftest import RENEGADE, WARBOY, Mount, mounted


@pytest.fixture
def devfs(simulation: Simulation) -> Iterator[Mount]:
    with mounted(simulation, "--devfs") as mount:
        yield mount


def _busy(mount: Mount, flags: int = os.O_RDWR) -> list[str]:
    """Files, by path below the root, that answer EBUSY; any other error is raised."""
    busy = []
    for folder, _, files in os.walk(mount.place):
        for name in files:
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, flags))
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                busy.append(os.path.relpath(path, mount.place))
    return sorted(busy)


def test_devices_are_plain_files_of_the_same_names(simulation: Simulation, devfs: Mount) -> None:
    """The reader takes each as the device it stands for."""

    def named(files: tuple[DeviceFile, ...]) -> list[DeviceFile]:
        return [file._replace(device_number=None) for file in files]

    through = read_cards(simulation.roots._replace(devfs=str(devfs.place)))
    assert [named(r.device_files) for r in read_cards(simulation.roots)] == [list(r.device_files) for r in through]
    assert stat.S_ISREG(os.stat(devfs.place / "npu0pe0").st_mode)


def test_compute_files_that_share_a_pe_in_use_are_busy(simulation: Simulation, devfs: Mount) -> None:
    """Whatever file holds it: those of one PE, of several, and Warboy's of the whole card; management never."""
    assert _busy(devfs) == []
    simulation.occupy(WARBOY, ["1"])
    simulation.occupy(RENEGADE, ["2-3"])
    assert _busy(devfs) == ["npu0", "npu0pe0-1", "npu0pe1"] + [f"rngd/npu0pe{pes}" for pes in ("0-3", "2", "2-3", "3")]
    simulation.release(WARBOY)
    simulation.release(RENEGADE)
    assert _busy(devfs) == []


def test_opening_to_read_alone_is_never_refused(simulation: Simulation, devfs: Mount) -> None:
    """Only who wants to compute is told that somebody does already."""
    simulation.occupy(WARBOY)
    assert _busy(devfs, os.O_RDONLY) == []
    assert (devfs.place / "npu0pe0").read_bytes() == b""


def test_an_open_hangs_until_its_fault_is_over(simulation: Simulation, devfs: Mount) -> None:
    """Of this file alone, and for whoever wants to compute."""
    simulation.fail(WARBOY, "hang-open=pe0")
    opened = threading.Event()

    def open_it() -> None:
        os.close(os.open(devfs.place / "npu0pe0", os.O_RDWR))
        opened.set()

    threading.Thread(target=open_it, daemon=True).start()
    assert not opened.wait(0.5)
    os.close(os.open(devfs.place / "npu0pe1", os.O_RDWR))
    os.close(os.open(devfs.place / "npu0pe0", os.O_RDONLY))
    assert not opened.is_set()
    simulation.recover(WARBOY)
    assert opened.wait(30)
