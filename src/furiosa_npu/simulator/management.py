"""Management files that both families have (`/sys/class/<class>/<management>/`)."""

from furiosa_npu.simulator.nodes import Text
from furiosa_npu.simulator.state import CardState

READ_WRITE = 0o644
WRITE_ONLY = 0o200

_COUNTERS = (
    "AXI Post Error",
    "AXI Fetch Error",
    "AXI Discard Error",
    "AXI Doorbell done",
    "PCIe Post Error",
    "PCIe Fetch Error",
    "PCIe Discard Error",
    "PCIe Doorbell done",
    "Device Error",
)


def line(text: object) -> Text:
    """A file of one line, as sysfs attributes are."""
    return Text(f"{text}\n")


def common_files(card: CardState, major: int, minor: int) -> dict[str, Text]:
    """File name to text."""
    facts = card.card
    return {
        "platform_type": line(facts.platform_type),
        "busname": line(facts.pci_bdf),
        "dev": line(f"{major}:{minor}"),
        "device_sn": line(facts.serial),
        "device_uuid": line(facts.uuid),
        "heartbeat": line(card.heartbeat_seconds),
        "version": line(facts.driver_version),
        "atr_error": Text(
            "".join(f"{name}: {card.errors if _is_error(name) else card.doorbells}\n" for name in _COUNTERS)
        ),
    }


def _is_error(counter: str) -> bool:
    """`Doorbell done` counts work."""
    return counter.endswith("Error")
