"""A Warboy as its driver shows it: `/dev/npu{i}*` and `/sys/class/npu_mgmt/npu{i}*`."""

from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.management import READ_WRITE, WRITE_ONLY, common_files, line
from furiosa_npu.simulator.model import Model
from furiosa_npu.simulator.nodes import Text, Tree
from furiosa_npu.simulator.state import (
    CYCLES_A_SECOND,
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
    for minor, suffix in enumerate(_SUFFIXES, start=first_minor):
        tree |= MODEL.device(card.card, suffix, (major, minor), has_file=suffix not in _SYSFS_ONLY)
    management, _ = MODEL.management(card.card)
    tree |= {f"{management}/{file}": text for file, text in _management(card, major, first_minor).items()}
    for first, last in MODEL.pe_ranges:
        hold = next((h for h in card.holds if (h.first_pe, h.last_pe) == (first, last)), None)
        folder, _ = MODEL.class_entry(f"{card.card.name}{pe_suffix(first, last)}")
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


def _more_sensors(card: Card) -> dict[str, Text]:
    return {
        "in0_label": line("VDD"),
        "in0_input": line(750),
        "curr1_label": line("VDD"),
        "curr1_input": line(round(card.power_watts / 0.75 * 1000)),
    }


def _written(card: CardState, word: str) -> CardState:
    modes = {str(number): number for number in range(len(PERFORMANCE_MODES))}
    return card._replace(performance_mode=modes.get(word, card.performance_mode))


MODEL = Model(
    pci_device="0x0000",
    driver="npu",
    link_width=8,
    link_speed="16.0 GT/s PCIe",
    slower_link_speed="8.0 GT/s PCIe",
    temperatures=("AMBIENT", "LPDDR4", "NE", "PCIE", "PEAK", "TOP"),
    device_folder="dev",
    class_prefix="npu_mgmt/",
    management_suffix="_mgmt",
    pe_count=2,
    pe_groups=((0, 1),),
    majors=16,
    first_major=510,
    serial_prefix="WBYSIM",
    temperature_celsius=40.0,
    power_watts=1.37,
    driver_version="1.9.2, 3def9c2",
    render=render,
    uuid_case=str.upper,
    whole_card_file=True,
    more_sensors=_more_sensors,
    control_file="performance_mode",
    written=_written,
)
