"""A Warboy as its driver shows it: `/dev/npu{i}*` and `/sys/class/npu_mgmt/npu{i}*`."""

from furiosa_npu.simulator.management import READ_WRITE, WRITE_ONLY, common_files, line
from furiosa_npu.simulator.nodes import Device, Text, Tree, link_between
from furiosa_npu.simulator.places import class_entry, device_file, management_folder
from furiosa_npu.simulator.state import (
    CYCLES_A_SECOND,
    PE_RANGES,
    TASK_CYCLES_A_SECOND,
    TENSOR_CYCLES_A_SECOND,
    CardState,
    Hold,
    pe_suffix,
)

PERFORMANCE_MODES = ("LOW", "HALF", "NORMAL 1", "NORMAL 2", "FULL 1", "FULL 2")
"""The names of the numbers 0 to 5 that are written to `performance_mode`."""

MINORS_A_CARD = 16

_SYSFS_ONLY = ("_bar0", "_bar2", "_bar4")
_SUFFIXES = ("_mgmt", "", "pe0", "pe1", "pe0-1", "ch0", "ch1", "ch2", "ch3", *_SYSFS_ONLY)
"""In the order of minor numbers."""


def render(card: CardState, majors: tuple[int, ...]) -> Tree:
    """Device files and management folders. `majors`: cards take turns on them, 16 minors each."""
    index = card.card.index
    major, first_minor = majors[index % len(majors)], index // len(majors) * MINORS_A_CARD
    tree: Tree = {}
    for offset, suffix in enumerate(_SUFFIXES):
        name = f"npu{index}{suffix}"
        minor = first_minor + offset
        folder, link = class_entry(card.card, name)
        tree[f"{folder}/dev"] = line(f"{major}:{minor}")
        tree[f"{folder}/uevent"] = Text(f"MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\n", 0o644)
        tree[link] = link_between(link, folder)
        if suffix not in _SYSFS_ONLY:
            tree[device_file(card.card, suffix)] = Device(major, minor)
    management = management_folder(card.card)
    tree |= {f"{management}/{file}": text for file, text in _management(card, major, first_minor).items()}
    for first, last in PE_RANGES["warboy"]:
        hold = next((h for h in card.holds if (h.first_pe, h.last_pe) == (first, last)), None)
        folder, _ = class_entry(card.card, f"npu{index}{pe_suffix(first, last)}")
        tree[f"{folder}/perf_regs"] = _perf_regs(hold)
    return tree


def _management(card: CardState, major: int, minor: int) -> dict[str, Text]:
    uuid = card.card.uuid
    return common_files(card, major, minor) | {
        "device_type": line("Warboy"),
        "soc_rev": line("B0"),
        "soc_uid": line(f"{uuid[:8]}-{uuid[-8:]}" if uuid else "00000000-00000000"),
        "alive": line(0 if card.has("not-alive") else 1),
        "fw_version": line("1.6.0, c1bebfd"),
        "ne_clk_freq_info": Text(
            "ne tensor (MHz): 2000\nne memory (MHz): 1000\nne operation (MHz): 1000\ndram (MT/s): 4266\n"
        ),
        "performance_mode": Text(
            f"{card.performance_mode} ({PERFORMANCE_MODES[card.performance_mode]})\n", mode=READ_WRITE
        ),
        "performance_level": Text("", WRITE_ONLY),
        "device_led": Text("", WRITE_ONLY),
        "ne_clock": Text("", WRITE_ONLY),
        "ne_dtm_policy": Text("", WRITE_ONLY),
    }


def _perf_regs(hold: Hold | None) -> Text:
    """Closed to everyone (mode 000) while nobody uses the PEs. Task and tensor counters wrap at 32 bits."""
    seconds = hold.seconds if hold else 0
    cycles = CYCLES_A_SECOND * seconds
    values = {
        "ProgramCounter": 0x10000,
        "InstructionCount": seconds * 1_000_000,
        "TensorExecutionCount": seconds * 100_000,
        "TaskExecutionTime": TASK_CYCLES_A_SECOND * seconds,
        "TensorExecutionTime": TENSOR_CYCLES_A_SECOND * seconds,
        "LastTensorExecutionTime": 12_000 if seconds else 0,
        "CycleCount": cycles,
        "CycleCountHigh": cycles >> 32,
    }
    content = "".join(f"{key}: 0x{value & 0xFFFFFFFF:x}\n" for key, value in values.items())
    return Text(content, 0o444 if hold else 0o000)
