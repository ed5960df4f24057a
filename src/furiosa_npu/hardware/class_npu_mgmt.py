"""`/sys/class/npu_mgmt/`: a Warboy's management folder `npu{i}_mgmt`, and `perf_regs` of its PEs."""

import stat

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.device_names import parse_device_name
from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.identity_files import read_identity, read_signs
from furiosa_npu.hardware.reading import PerfRegs, Problem, Reading

CLASS = "class/npu_mgmt"
FOLDER = f"{CLASS}/npu{{index}}_mgmt"
_PES = ((0, 0), (1, 1), (0, 1))


def management_indices(names: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of the management folders among the names in CLASS."""
    devices = [parse_device_name("warboy", name) for name in names if name.endswith("_mgmt")]
    return tuple(sorted(device.index for device in devices if device is not None and device.kind == "management"))


def read_lasting(facts: Facts, reading: Reading) -> Reading:
    """`reading` with what the management folder says of the card for good, and what is seldom set."""
    return read_identity(facts, reading, "Warboy")._replace(
        soc_revision=facts.required("soc_rev", parsers.parse_text),
        soc_id=facts.optional("soc_uid", parsers.parse_text),
        clocks=facts.optional("ne_clk_freq_info", parsers.parse_counters) or (),
        performance_mode=facts.optional("performance_mode", parsers.parse_performance_mode),
    )


def read_moving(facts: Facts, sysfs: str, reading: Reading) -> Reading:
    """`reading` with what may be another at each look: signs of life, and the registers of the PEs."""
    return read_signs(facts, reading)._replace(
        alive=facts.required("alive", parsers.parse_alive),
        perf_regs=_perf_regs(facts.files, f"{sysfs}/{CLASS}", reading.index or 0, facts.problems),
    )


def _perf_regs(files: Files, folder: str, index: int, problems: list[Problem]) -> tuple[PerfRegs, ...]:
    registers = []
    for first, last in _PES:
        name = f"npu{index}pe{first}" if first == last else f"npu{index}pe{first}-{last}"
        path = f"{folder}/{name}/perf_regs"
        status = files.status(path)
        if status is None:
            continue  # no use seen
        readable = bool(status.st_mode & (stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH))
        registers.append(_one(files, path, PerfRegs(name, first, last, readable, None, None, None), problems))
    return tuple(registers)


def _one(files: Files, path: str, closed: PerfRegs, problems: list[Problem]) -> PerfRegs:
    try:
        values = files.parsed(path, parsers.parse_perf_regs, "lines `Key: 0xHEX`")
    except (PermissionError, FileNotFoundError):
        return closed  # the PE is unused
    except FileProblem as problem:
        problems.append(problem.problem)
        return closed
    return closed._replace(
        cycles=values["CycleCountHigh"] << 32 | values["CycleCount"],
        task_cycles=values.get("TaskExecutionTime"),
        tensor_cycles=values.get("TensorExecutionTime"),
    )
