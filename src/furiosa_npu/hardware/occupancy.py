"""The driver's passive signs of use, from one reading."""

from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import Reading


def pes_in_use(reading: Reading) -> tuple[bool | None, ...]:
    """A flag a PE: in use, not in use, or None where the driver shows no sign of it.

    Older drivers lack `pe_occupancy`. `perf_regs` is closed (EACCES or absent) while a PE is unused; one that its mode
    lets everyone read, and that was read, is a PE in use as far as one reading can tell.
    """
    traits = TRAITS[reading.family]
    count = traits.pe_count
    if traits.occupancy == "pe_occupancy":
        return reading.pe_occupancy if reading.pe_occupancy is not None else (None,) * count
    used = [range(regs.first_pe, regs.last_pe + 1) for regs in reading.perf_regs if regs.mode_allows_reading]
    return tuple(any(pe in pes for pes in used) for pe in range(count))
