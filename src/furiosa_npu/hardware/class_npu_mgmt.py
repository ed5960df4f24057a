"""`/sys/class/npu_mgmt/`: a Warboy's management folder `npu{i}_mgmt`, and `perf_regs` of its PEs."""

import stat

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.driver_file import FileProblem, Files
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.identity_files import read_identity, read_pulse
from furiosa_npu.hardware.reading import Moving, PerfRegs, Problem, Reading

_PES = (*TRAITS["warboy"].pes, *TRAITS["warboy"].pe_groups)


def read_lasting(facts: Facts, reading: Reading) -> Reading:
    """`reading` with what the management folder says of the card for good, and what is seldom set."""
    return read_identity(facts, reading, "Warboy")._replace(
        soc_revision=facts.required("soc_rev", parsers.parse_text),
        soc_id=facts.optional("soc_uid", parsers.parse_text),
        clocks=facts.optional("ne_clk_freq_info", parsers.parse_counters) or (),
        performance_mode=facts.optional("performance_mode", parsers.parse_performance_mode),
    )


def read_moving(facts: Facts, reading: Reading) -> Moving:
    """What may be another at each look at the card: signs of life, and the registers of its PEs."""
    alive = facts.required("alive", parsers.parse_alive)
    of_all = facts.folder.rpartition("/")[0]
    registers = _perf_regs(facts.files, of_all, reading.index or 0, facts.problems)
    return Moving(*read_pulse(facts), alive, registers, None, None)


def _perf_regs(files: Files, folder: str, index: int, problems: list[Problem]) -> tuple[PerfRegs, ...]:
    registers = []
    for first, last in _PES:
        name = f"npu{index}pe{first}" if first == last else f"npu{index}pe{first}-{last}"
        path = f"{folder}/{name}/perf_regs"
        try:
            values, mode = files.parsed_with_mode(path, parsers.parse_perf_regs, "lines `Key: 0xHEX`")
        except (PermissionError, FileNotFoundError):
            continue  # the PE is unused
        except FileProblem as problem:
            problems.append(problem.problem)
            continue
        registers.append(
            PerfRegs(
                name,
                first,
                last,
                mode_allows_reading=bool(mode & (stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)),
                cycles=values["CycleCountHigh"] << 32 | values["CycleCount"],
                task_cycles=values.get("TaskExecutionTime"),
                tensor_cycles=values.get("TensorExecutionTime"),
            )
        )
    return tuple(registers)
