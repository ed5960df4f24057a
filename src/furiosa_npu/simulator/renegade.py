"""A Renegade (RNGD) as its driver shows it: `/dev/rngd/npu{i}*` and `/sys/class/rngd_mgmt/rngd!npu{i}*`."""

from furiosa_npu.simulator.card import Card
from furiosa_npu.simulator.management import READ_WRITE, common_files, line
from furiosa_npu.simulator.model import Model
from furiosa_npu.simulator.nodes import Text, Tree
from furiosa_npu.simulator.state import CYCLES_A_SECOND, TASK_CYCLES_A_SECOND, CardState, Hold

GOVERNORS = ("performance", "powersave")
"""What may be written to `npu_governor`."""

MINORS_A_CARD = 20
CHANNEL_MINORS_A_CARD = 16

_MORE_SUFFIXES = ("bar0", "bar2", "bar4", "dmar", "p2pmem")
"""Behind management and PEs."""
_CHANNEL_SUFFIXES = (*(f"ch{n}" for n in range(8)), *(f"ch{n}r" for n in range(8)))
"""Both in the order of minor numbers; the channels have a major of their own."""

_PE_CLOCK_HZ = 1_000_000_000
_PE_DRAM_BYTES = 6_375_342_080
_PE_DRAM_IN_USE_BYTES = 1 << 30


def render(card: CardState, majors: tuple[int, ...]) -> Tree:
    """Device files and management folders. `majors`: of cards and PEs (20 minors a card), of channels (16)."""
    index = card.card.index
    tree: Tree = {}
    for major, minors, suffixes in (
        (majors[0], MINORS_A_CARD, ("mgmt", *MODEL.pe_suffixes, *_MORE_SUFFIXES)),
        (majors[1], CHANNEL_MINORS_A_CARD, _CHANNEL_SUFFIXES),
    ):
        for minor, suffix in enumerate(suffixes, start=index * minors):
            tree |= MODEL.device(card.card, suffix, (major, minor))
    management, _ = MODEL.management(card.card)
    files = _management(card, majors[0], index * MINORS_A_CARD)
    tree |= {f"{management}/{file}": text for file, text in files.items()}
    for pe in range(MODEL.pe_count):
        folder, _ = MODEL.class_entry(f"{card.card.name}pe{pe}")
        hold = next((hold for hold in card.holds if pe in hold.pes), None)
        tree |= {f"{folder}/{file}": text for file, text in _pe_files(hold).items()}
    return tree


def _management(card: CardState, major: int, minor: int) -> dict[str, Text]:
    held = frozenset[int]().union(*(hold.pes for hold in card.holds))
    uuid = card.card.uuid
    older = _is_older_driver(card.card.driver_version)
    files = common_files(card, major, minor) | {
        "device_type": line("RNGD"),
        "device_state": line(int(card.has("not-alive") is not older)),
        "board_revision": line("BD_REV_A0"),
        "soc_id": line(f"{uuid[:8]}-{uuid[-8:]}".upper() if uuid else "00000000-00000000"),
        "fw_version": line("2026.2.0, 1f0a5c3"),
        "cur_pe_ids": line(",".join(suffix.removeprefix("pe") for suffix in MODEL.pe_suffixes)),
        "npu_clocks": Text(f"{_PE_CLOCK_HZ}\n" * MODEL.pe_count),
    }
    if older:
        return files
    throttling = card.value_of("throttling") or ("0x0" if held else "0x1")
    return files | {
        "pe_occupancy": Text("".join(f"{int(pe in held)}\n" for pe in range(MODEL.pe_count))),
        "npu_governor": Text(f"{card.governor}\n", READ_WRITE),
        "throttle_reason": line(throttling),
    }


def _is_older_driver(version: str) -> bool:
    """Before 2024.2: device_state 1 is alive, and PEs in use, governor and throttling are not shown."""
    year, release = version.split(".")[:2]
    return (int(year), int(release)) < (2024, 2)


def _pe_files(hold: Hold | None) -> dict[str, Text]:
    """Files of one PE that furiosa-smi 2026.4.0 reads while the PE is occupied; values are hexadecimal."""
    seconds = hold.seconds if hold else 0
    counters = {"CycleCount": CYCLES_A_SECOND * seconds, "TaskCycleCount": TASK_CYCLES_A_SECOND * seconds}
    memory = {
        "dram_capacity": _PE_DRAM_BYTES,
        "dram_usage": _PE_DRAM_IN_USE_BYTES if hold else 0,
        "shared_capacity": 0,
        "shared_usage": 0,
    }
    return {
        "metrics": Text("".join(f"{key}: 0x{value:x}\n" for key, value in counters.items())),
        "alloc_status": Text("".join(f"{key}: 0x{value:x}\n" for key, value in memory.items())),
    }


def _written(card: CardState, word: str) -> CardState:
    return card._replace(governor=word if word in GOVERNORS else card.governor)


def _no_throttling(card: Card) -> str | None:
    if not _is_older_driver(card.driver_version):
        return None
    return f"its driver {card.driver_version!r} is of before 2024.2 and shows no throttling"


MODEL = Model(
    pci_device="0x0001",
    driver="rngd",
    link_width=16,
    link_speed="32.0 GT/s PCIe",
    slower_link_speed="16.0 GT/s PCIe",
    temperatures=("PEAK", *(f"NPU_PE{pe}" for pe in range(8)), "AMBIENT"),
    device_folder="dev/rngd",
    class_prefix="rngd_mgmt/rngd!",
    management_suffix="mgmt",
    pe_count=8,
    pe_groups=((0, 1), (2, 3), (4, 5), (6, 7), (0, 3), (4, 7)),
    majors=2,
    first_major=236,
    serial_prefix="RNGDSIM",
    temperature_celsius=35.0,
    power_watts=38.0,
    driver_version="2026.2.0, 7b1d2e9",
    render=render,
    more_sensors=lambda _: {"power1_max": line(180_000_000)},
    control_file="npu_governor",
    written=_written,
    no_throttling=_no_throttling,
)
