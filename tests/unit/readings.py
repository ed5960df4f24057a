"""Readings of well cards, for tests to change with `_replace`."""

from furiosa_npu.hardware.reading import DeviceFile, Family, PerfRegs, Reading


def warboy(index: int = 0, *, uuid: str | None = None, numa_node: int | None = 0) -> Reading:
    """An idle Warboy as its driver shows it: perf_regs closed."""
    names: list[tuple[str, tuple[int, int] | None]] = [("", None), ("pe0", (0, 0)), ("pe1", (1, 1)), ("pe0-1", (0, 1))]
    files = [
        DeviceFile(
            f"npu{index}{suffix}",
            "card" if pes is None else "pe" if pes[0] == pes[1] else "fusion",
            None if pes is None else pes[0],
            None if pes is None else pes[1],
            (510, 16 * index + minor),
        )
        for minor, (suffix, pes) in enumerate(names)
    ]
    files += [DeviceFile(f"npu{index}ch{n}", "channel", None, None, (510, 16 * index + 10 + n)) for n in range(4)]
    files.append(DeviceFile(f"npu{index}_mgmt", "management", None, None, (509, index)))
    return _reading("warboy", index, uuid or f"WARBOY-{index}", tuple(files))._replace(numa_node=numa_node)


def renegade(index: int = 0, *, uuid: str | None = None) -> Reading:
    """An idle Renegade as its newer driver shows it."""
    spans = [(pe, pe) for pe in range(8)] + [(0, 1), (2, 3), (4, 5), (6, 7), (0, 3), (4, 7)]
    files = [
        DeviceFile(
            f"rngd/npu{index}pe{first}" + ("" if first == last else f"-{last}"),
            "pe" if first == last else "fusion",
            first,
            last,
            (236, 20 * index + 1 + number),
        )
        for number, (first, last) in enumerate(spans)
    ]
    files += [
        DeviceFile(f"rngd/npu{index}bar0", "bar", None, None, (236, 20 * index + 17)),
        DeviceFile(f"rngd/npu{index}ch0", "channel", None, None, (236, 20 * index + 18)),
        DeviceFile(f"rngd/npu{index}mgmt", "management", None, None, (236, 20 * index)),
    ]
    return _reading("renegade", index, uuid or f"RENEGADE-{index}", tuple(files))._replace(pe_occupancy=(False,) * 8)


def _reading(family: Family, index: int, uuid: str, files: tuple[DeviceFile, ...]) -> Reading:
    slot = index + (1 if family == "warboy" else 0x81)
    return Reading(
        family=family,
        index=index,
        management=True,
        device_files=files,
        uuid=uuid,
        pci_bdf=f"0000:{slot:02x}:00.0",
        alive=True,
        driver_version="1.9.2, 3def9c2",
    )


def perf_regs(card: Reading, cycles: int | None) -> Reading:
    """The Warboy with the cycle counter of its first PE open at `cycles`, or closed."""
    if cycles is None:
        return card._replace(perf_regs=())
    return card._replace(perf_regs=(PerfRegs(f"{card.name}pe0", 0, 0, True, cycles, None, None),))
