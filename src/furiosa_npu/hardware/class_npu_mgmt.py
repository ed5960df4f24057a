"""`/sys/class/npu_mgmt/`: a Warboy's management folder `npu{i}_mgmt`, and `perf_regs` of its PEs."""

import os
import stat

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.device_names import parse_device_name
from furiosa_npu.hardware.driver_file import FileProblem, list_names, read_text, shortened
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.identity_files import read_identity
from furiosa_npu.hardware.reading import PerfRegs, Problem, Reading

CLASS = "class/npu_mgmt"
FOLDER = f"{CLASS}/npu{{index}}_mgmt"


def management_indices(sysfs: str) -> tuple[int, ...]:
    """The numbers of the management folders that are there. Raises FileProblem."""
    found = []
    for name in list_names(f"{sysfs}/{CLASS}"):
        device = parse_device_name("warboy", name)
        if device is not None and device.kind == "management":
            found.append(device.index)
    return tuple(sorted(found))


def read_management(sysfs: str, reading: Reading, problems: list[Problem]) -> Reading:
    """`reading` with what the management folder and the PEs' registers say."""
    facts = Facts(f"{sysfs}/{FOLDER.format(index=reading.index)}", problems)
    reading = read_identity(facts, reading, "Warboy")
    return reading._replace(
        soc_revision=facts.required("soc_rev", parsers.parse_text),
        alive=facts.required("alive", parsers.parse_alive),
        soc_id=facts.optional("soc_uid", parsers.parse_text),
        clocks=facts.optional("ne_clk_freq_info", parsers.parse_counters) or (),
        performance_mode=facts.optional("performance_mode", parsers.parse_performance_mode),
        perf_regs=_perf_regs(sysfs, reading.index or 0, problems),
    )


def _perf_regs(sysfs: str, index: int, problems: list[Problem]) -> tuple[PerfRegs, ...]:
    registers = []
    for group in ((0, 0), (1, 1), (0, 1)):
        name = f"npu{index}pe{group[0]}" + (f"-{group[1]}" if group[0] != group[1] else "")
        path = f"{sysfs}/{CLASS}/{name}/perf_regs"
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue  # no use seen
        readable = bool(mode & (stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH))
        registers.append(_one(path, PerfRegs(name, *group, readable, None, None, None), problems))
    return tuple(registers)


def _one(path: str, closed: PerfRegs, problems: list[Problem]) -> PerfRegs:
    try:
        text = read_text(path, "lines `Key: 0xHEX`")
        values = None if text is None else parsers.parse_perf_regs(text)
    except PermissionError:
        return closed  # the PE is unused
    except FileProblem as problem:
        problems.append(problem.problem)
        return closed
    except ValueError as error:
        problems.append(Problem(path, shortened(text or ""), str(error)))
        return closed
    if values is None:
        return closed
    return closed._replace(
        cycles=values["CycleCountHigh"] << 32 | values["CycleCount"],
        task_cycles=values.get("TaskExecutionTime"),
        tensor_cycles=values.get("TensorExecutionTime"),
    )
