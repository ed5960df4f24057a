"""What a mount shows of a state, and its operations as they are called, without a mount."""

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from furiosa_npu.simulator import Simulation, parse_scenario
from furiosa_npu.simulator.__main__ import main
from furiosa_npu.simulator.mount_files import DevFiles, SysFiles
from furiosa_npu.simulator.mount_view import CallFault, busy_files, call_faults, hanging_files

MIXED = "cards: [{family: warboy, index: 3}, {family: renegade}]"
WARBOY, RENEGADE = "0000:01:00.0", "0000:02:00.0"
HEARTBEAT = "/devices/virtual/npu_mgmt/npu3_mgmt/heartbeat"


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation.create(f"{tmp_path}/sim", parse_scenario(MIXED), plain_files=True)


def test_faults_of_system_calls_are_told_by_path(simulation: Simulation) -> None:
    """A file of the management folder; perf_regs of each of a card's PEs; two faults of one file together."""
    for npu, fault in ((WARBOY, "hang=perf_regs"), (RENEGADE, "syscall=dev:EIO"), (RENEGADE, "hang=dev")):
        simulation.fail(npu, fault)
    simulation.fail(WARBOY, "missing=heartbeat")
    folder = "sys/devices/virtual"
    assert call_faults(simulation.state()) == {
        f"{folder}/rngd_mgmt/rngd!npu0mgmt/dev": CallFault(True, errno.EIO),
        **{f"{folder}/npu_mgmt/npu3{pe}/perf_regs": CallFault(True, None) for pe in ("pe0", "pe1", "pe0-1")},
    }


def test_files_that_share_a_pe_are_busy_together(simulation: Simulation) -> None:
    """Warboy's file of the whole card too; a Renegade has none."""
    simulation.occupy(WARBOY, ["0"])
    simulation.occupy(RENEGADE, ["4-5"])
    assert busy_files(simulation.state()) == {
        *(f"dev/npu3{pes}" for pes in ("", "pe0", "pe0-1")),
        *(f"dev/rngd/npu0pe{pes}" for pes in ("4", "5", "4-5", "4-7")),
    }


def test_opens_that_hang_are_told_by_path(simulation: Simulation) -> None:
    """The widest fused file, where none is named; Warboy's file of the whole card goes by its bare name."""
    for npu, fault in ((WARBOY, "hang-open=npu"), (WARBOY, "hang-open"), (RENEGADE, "hang-open=pe4-7")):
        simulation.fail(npu, fault)
    assert hanging_files(simulation.state()) == {"dev/npu3", "dev/npu3pe0-1", "dev/rngd/npu0pe4-7"}


@pytest.mark.parametrize("answer", [errno.EINTR, errno.EIO])
def test_a_read_that_hangs_looks_whether_it_shall_go_on(simulation: Simulation, answer: int) -> None:
    """It ends with the errno that it is told, after as many looks as it takes."""
    simulation.fail(WARBOY, "hang=heartbeat")
    answers = iter([None, None, answer])
    files = SysFiles(simulation, lambda: next(answers))
    with pytest.raises(OSError, match="Errno") as caught:
        files.read(HEARTBEAT, 4096, 0, 0)
    assert (caught.value.errno, list(answers)) == (answer, [])


@pytest.mark.parametrize("answer", [errno.EINTR, errno.EIO])
def test_an_open_that_hangs_looks_whether_it_shall_go_on(simulation: Simulation, answer: int) -> None:
    """Of this file, for reading and writing alone."""
    simulation.fail(WARBOY, "hang-open=pe0")
    answers = iter([None, None, answer])
    files = DevFiles(simulation, lambda: next(answers))
    assert (files.open("/npu3pe0", os.O_RDONLY), files.open("/npu3pe1", os.O_RDWR)) == (0, 0)
    with pytest.raises(OSError, match="Errno") as caught:
        files.open("/npu3pe0", os.O_RDWR)
    assert (caught.value.errno, list(answers)) == (answer, [])
    simulation.recover(WARBOY, "hang-open")
    assert files.open("/npu3pe0", os.O_RDWR) == 0


def test_a_read_gives_what_is_asked_for(simulation: Simulation) -> None:
    """From its offset on, as many bytes as wanted, of the newest text; a file that went is a device that went."""
    simulation.advance(12345)
    files = SysFiles(simulation, lambda: None)
    assert [files.read(HEARTBEAT, size, offset, 0) for size, offset in ((4096, 0), (2, 1), (9, 6))] == [
        b"12345\n",
        b"23",
        b"",
    ]
    simulation.remove(WARBOY)
    with pytest.raises(OSError, match="No such device") as caught:
        files.read(HEARTBEAT, 4096, 0, 0)
    assert caught.value.errno == errno.ENODEV


def test_a_fault_shows_at_the_next_call(simulation: Simulation) -> None:
    """EACCES is open's answer, EBUSY too; what the state file says is never older than the last command."""
    sysfs, devfs = SysFiles(simulation, lambda: None), DevFiles(simulation, lambda: None)
    assert (sysfs.open(HEARTBEAT, os.O_RDONLY), devfs.open("/npu3", os.O_RDWR)) == (0, 0)
    simulation.fail(WARBOY, "syscall=heartbeat:EACCES")
    simulation.occupy(WARBOY)
    for files, path, number in ((sysfs, HEARTBEAT, errno.EACCES), (devfs, "/npu3", errno.EBUSY)):
        with pytest.raises(OSError, match="Errno") as caught:
            files.open(path, os.O_RDWR)
        assert caught.value.errno == number
    simulation.recover(WARBOY)
    assert sysfs.open(HEARTBEAT, os.O_RDONLY) == 0


def test_a_hung_read_goes_on_when_its_fault_is_over(simulation: Simulation) -> None:
    """With the text of then."""
    simulation.fail(WARBOY, "hang=heartbeat")
    looked = threading.Event()
    got: list[bytes] = []
    files = SysFiles(simulation, looked.set)
    reader = threading.Thread(target=lambda: got.append(files.read(HEARTBEAT, 4096, 0, 0)))
    reader.start()
    assert looked.wait(30)
    simulation.advance(7)
    simulation.recover(WARBOY)
    reader.join(30)
    assert got == [b"7\n"]


def test_without_its_package_a_mount_says_what_to_install(
    simulation: Simulation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other command does without it."""
    monkeypatch.setitem(sys.modules, "mfusepy", None)
    assert main(["mount", simulation.folder, "/nowhere"]) == 1
    assert "mount needs the Python package mfusepy: pip install 'furiosa-npu[fuse]'" in capsys.readouterr().err
    assert main(["fail", simulation.folder, "npu3"]) == 0
