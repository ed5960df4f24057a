"""What one pass over the driver tree tells about one card: immutable values, no file is opened here.

Absent is None. Broken is a `Problem` beside the facts that could be read. Zero is a measurement.
Plain `NamedTuple`s: these types are loaded by every agent on every node and by the static furiosactl, where
`dataclasses` would bring 2 MiB of imports.
"""

from typing import Literal, NamedTuple

from furiosa_npu.hardware import families

Family = families.Family
FAMILIES = families.FAMILIES

DeviceKind = Literal["card", "pe", "fusion", "management", "channel", "bar", "dma", "p2pmem", "other"]
"""card: all PEs, each on its own (Warboy's npu{i}); pe: one PE; fusion: several PEs as one. Only these compute."""

COMPUTE_KINDS: tuple[DeviceKind, ...] = ("card", "pe", "fusion")


class Roots(NamedTuple):
    """Where the driver's files are looked for: the host's /dev and /sys, a simulated tree, or a recording."""

    devfs: str
    sysfs: str


class Problem(NamedTuple):
    """Something that could not be read as documented. The driver is at fault unless `expected` says otherwise."""

    path: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: found {self.found}, expected {self.expected}"


class DeviceFile(NamedTuple):
    """One device file of a card, e.g. `npu0pe0-1` (Warboy) or `rngd/npu0pe0-3` (Renegade)."""

    path: str
    """relative to the devfs root, e.g. `rngd/npu0pe0`"""
    kind: DeviceKind
    first_pe: int | None
    last_pe: int | None
    """both ends included; None for files that name no PE (Warboy's `npu{i}` is kind card: all PEs)"""
    device_number: tuple[int, int] | None
    """(major, minor); None for a plain file that stands for a device"""

    @property
    def name(self) -> str:
        """The name alone, as people and `NPU_DEVNAME` say it: `npu0pe0-3`."""
        return self.path.rpartition("/")[2]


SensorKind = Literal["temp", "power", "curr", "in"]


class Sensor(NamedTuple):
    """One hwmon channel, value in the kernel's own unit (Documentation/hwmon/sysfs-interface), unrounded.

    temp: millidegrees Celsius; power: microwatts; curr: milliamperes; in: millivolts.
    """

    kind: SensorKind
    number: int
    label: str
    """the label file's text; where there is none, the number"""
    value: int
    critical: int | None
    """`temp<n>_crit`, where the driver has one"""


def peak_temperature(sensors: tuple[Sensor, ...]) -> Sensor | None:
    """The sensor labelled PEAK, else temp1."""
    return _chosen(sensors, "temp", "PEAK")


def _chosen(sensors: tuple[Sensor, ...], kind: SensorKind, label: str) -> Sensor | None:
    of_kind = [sensor for sensor in sensors if sensor.kind == kind]
    labelled = (sensor for sensor in of_kind if sensor.label == label)
    return next(labelled, None) or next((sensor for sensor in of_kind if sensor.number == 1), None)


class PerfRegs(NamedTuple):
    """One `/sys/class/npu_mgmt/npu{i}pe*/perf_regs` (Warboy) that could be read: closed or absent, the PE is unused."""

    device: str
    """the file's device name, e.g. `npu0pe0-1`"""
    first_pe: int
    last_pe: int
    mode_allows_reading: bool
    """a read bit is set: with mode 000 a root with capabilities reads a file that the driver keeps closed"""
    cycles: int
    """CycleCountHigh << 32 | CycleCount"""
    task_cycles: int | None
    tensor_cycles: int | None


class PciLink(NamedTuple):
    """PCIe link of the card, from `current_link_*` and `max_link_*`."""

    width: int | None
    max_width: int | None
    speed_gts: float | None
    max_speed_gts: float | None


class CardUser(NamedTuple):
    """A process that has compute files of a card open."""

    who: str
    """as people are told of it: `process 4711 (python3)`"""
    pes: tuple[int, ...] | None
    """the PEs of these files, in order; None: all of the card"""


class Moving(NamedTuple):
    """The facts of a card that may be others at each look; fields as in `Reading`."""

    heartbeat_seconds: int | None
    error_counters: tuple[tuple[str, int], ...]
    alive: bool | None
    perf_regs: tuple[PerfRegs, ...]
    pe_occupancy: tuple[bool, ...] | None
    throttle_reasons: int | None


class Reading(NamedTuple):
    """Facts of one card, each a value or None where the driver does not say it; what is broken stands in `problems`."""

    family: Family
    index: int | None  # type: ignore[assignment]  # hides tuple.index, which nobody asks a reading for
    """the number in the driver's names; None for a PCI device that no driver has taken"""
    management: bool
    """the management folder is there"""
    device_files: tuple[DeviceFile, ...] = ()
    """compute files first (whole card, then by width, then by first PE), then the others by name"""
    uuid: str | None = None
    serial: str | None = None
    pci_bdf: str | None = None
    pci_dev: str | None = None
    """major:minor of the management file `dev`, e.g. 509:0"""
    platform_type: str | None = None
    hwtype: str | None = None
    """`haps` or `u250` for FPGA samples; None on silicon"""
    device_type: str | None = None
    soc_revision: str | None = None
    """Warboy `soc_rev`, Renegade `board_revision`"""
    soc_id: str | None = None
    """Warboy `soc_uid`, Renegade `soc_id`"""
    firmware_version: str | None = None
    driver_version: str | None = None
    alive: bool | None = None
    """Warboy `alive`; Renegade `device_state`, whose meaning turns with the driver's generation"""
    heartbeat_seconds: int | None = None
    error_counters: tuple[tuple[str, int], ...] = ()
    """`atr_error`, lines in file order"""
    clocks: tuple[tuple[str, int], ...] = ()
    """`ne_clk_freq_info` or `npu_clocks`: name as in the file, value as in the file"""
    performance_mode: int | None = None
    """Warboy: the number of `performance_mode`"""
    governor: str | None = None
    """Renegade: `npu_governor`"""
    throttle_reasons: int | None = None
    """Renegade: the bits of `throttle_reason`"""
    pe_ids: tuple[str, ...] | None = None
    """Renegade: `cur_pe_ids`, PEs and groups of them as the file says them"""
    pe_occupancy: tuple[bool, ...] | None = None
    """Renegade: a flag a PE, True is occupied"""
    perf_regs: tuple[PerfRegs, ...] = ()
    numa_node: int | None = None
    pci_root: str | None = None
    """the PCI root complex that the card is behind, as sysfs names it: `pci0000:00`"""
    pci_link: PciLink | None = None
    sensors: tuple[Sensor, ...] = ()
    problems: tuple[Problem, ...] = ()
    busy: tuple[str, ...] | None = None
    """names of the compute files that the driver refused to open, since they are in use; None: not probed"""
    unanswered: str | None = None
    """the path whose reading did not come back; the other facts are those of the last look, if there was one"""
    pes: tuple[int, ...] | None = None
    """the PEs, in order, whose part of the card this is; None: all of it"""

    @property
    def name(self) -> str:
        """`npu0`; a PCI device without a driver goes by its address."""
        return f"npu{self.index}" if self.index is not None else (self.pci_bdf or "npu?")

    @property
    def key(self) -> str:
        """What tells cards of one host apart at one instant: `warboy npu0`."""
        return f"{self.family} {self.name}"

    @property
    def compute_files(self) -> tuple[DeviceFile, ...]:
        return tuple(file for file in self.device_files if file.kind in COMPUTE_KINDS)

    @property
    def temperature_celsius(self) -> float | None:
        """Sensor PEAK, else temp1; degrees Celsius, unrounded."""
        sensor = peak_temperature(self.sensors)
        return None if sensor is None else sensor.value / 1000

    @property
    def power_watts(self) -> float | None:
        """Sensor RMS_TOTAL, else power1; watts, unrounded."""
        sensor = _chosen(self.sensors, "power", "RMS_TOTAL")
        return None if sensor is None else sensor.value / 1_000_000
