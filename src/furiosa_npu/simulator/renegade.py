"""A Renegade (RNGD) as its driver shows it: `/dev/rngd/npu{i}*` and `/sys/class/rngd_mgmt/rngd!npu{i}*`."""

from furiosa_npu.simulator.management import READ_WRITE, common_files, line
from furiosa_npu.simulator.nodes import Device, Text, Tree, link_between
from furiosa_npu.simulator.places import class_entry, device_file, management_folder
from furiosa_npu.simulator.state import (
    CYCLES_A_SECOND,
    PE_COUNT,
    PE_RANGES,
    TASK_CYCLES_A_SECOND,
    CardState,
    Hold,
    pe_suffix,
)

GOVERNORS = ("performance", "powersave")
"""What may be written to `npu_governor`."""

MINORS_A_CARD = 20
CHANNEL_MINORS_A_CARD = 16

_PE_SUFFIXES = tuple(pe_suffix(first, last) for first, last in PE_RANGES["renegade"])
_CARD_SUFFIXES = ("mgmt", *_PE_SUFFIXES, "bar0", "bar2", "bar4", "dmar", "p2pmem")
_CHANNEL_SUFFIXES = (*(f"ch{n}" for n in range(8)), *(f"ch{n}r" for n in range(8)))
"""Both in the order of minor numbers; the channels have a major of their own."""

_PE_CLOCK_HZ = 1_000_000_000
_PE_DRAM_BYTES = 6_375_342_080
_PE_DRAM_IN_USE_BYTES = 1 << 30


def render(card: CardState, majors: tuple[int, int]) -> Tree:
    """Device files and management folders. `majors`: of cards and PEs (20 minors a card), of channels (16)."""
    index = card.card.index
    tree: Tree = {}
    for major, minors, suffixes in (
        (majors[0], MINORS_A_CARD, _CARD_SUFFIXES),
        (majors[1], CHANNEL_MINORS_A_CARD, _CHANNEL_SUFFIXES),
    ):
        for minor, suffix in enumerate(suffixes, start=index * minors):
            name = f"npu{index}{suffix}"
            folder, link = class_entry(card.card, name)
            tree[f"{folder}/dev"] = line(f"{major}:{minor}")
            tree[f"{folder}/uevent"] = Text(f"MAJOR={major}\nMINOR={minor}\nDEVNAME=rngd/{name}\n", 0o644)
            tree[link] = link_between(link, folder)
            tree[device_file(card.card, suffix)] = Device(major, minor)
    management = management_folder(card.card)
    files = _management(card, majors[0], index * MINORS_A_CARD)
    tree |= {f"{management}/{file}": text for file, text in files.items()}
    for pe in range(PE_COUNT["renegade"]):
        folder, _ = class_entry(card.card, f"npu{index}pe{pe}")
        hold = next((hold for hold in card.holds if pe in hold.pes), None)
        tree |= {f"{folder}/{file}": text for file, text in _pe_files(hold).items()}
    return tree


def _management(card: CardState, major: int, minor: int) -> dict[str, Text]:
    held = frozenset[int]().union(*(hold.pes for hold in card.holds))
    uuid = card.card.uuid
    older = is_older_driver(card.card.driver_version)
    files = common_files(card, major, minor) | {
        "device_type": line("RNGD"),
        "device_state": line(int(card.has("not-alive") is not older)),
        "board_revision": line("BD_REV_A0"),
        "soc_id": line(f"{uuid[:8]}-{uuid[-8:]}".upper() if uuid else "00000000-00000000"),
        "fw_version": line("2026.2.0, 1f0a5c3"),
        "cur_pe_ids": line(",".join(suffix.removeprefix("pe") for suffix in _PE_SUFFIXES)),
        "npu_clocks": Text(f"{_PE_CLOCK_HZ}\n" * PE_COUNT["renegade"]),
    }
    if older:
        return files
    throttling = card.value_of("throttling") or ("0x0" if held else "0x1")
    return files | {
        "pe_occupancy": Text("".join(f"{int(pe in held)}\n" for pe in range(PE_COUNT["renegade"]))),
        "npu_governor": Text(f"{card.governor}\n", READ_WRITE),
        "throttle_reason": line(throttling),
    }


def is_older_driver(version: str) -> bool:
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
