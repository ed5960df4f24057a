"""What is said of a device for selectors (CEL) and people: attributes and capacities. Pure.

Source of the standard names: Kubernetes `staging/src/k8s.io/dynamic-resource-allocation/deviceattribute`.
"""

import re

from furiosa_npu.allocation.partition import partition_of
from furiosa_npu.cluster.resource_slices import MAXIMUM_TEXT_BYTES, AttributeValue, Version
from furiosa_npu.hardware.families import TRAITS
from furiosa_npu.hardware.reading import Reading

_NUMBER = r"(?:0|[1-9][0-9]*)"
_VERSION = re.compile(rf"({_NUMBER}\.{_NUMBER}\.{_NUMBER})(?:, ([0-9A-Za-z-]+))?", re.ASCII)


def attributes(reading: Reading) -> dict[str, AttributeValue]:
    """By name, what is known; names without a domain are the driver's own."""
    told: dict[str, AttributeValue | None] = {
        "family": reading.family,
        "hwtype": reading.hwtype,
        "uuid": reading.uuid,
        "index": reading.index,
        "partition": partition_of(reading).kind,
        "driverVersion": version(reading.driver_version),
        "firmwareVersion": version(reading.firmware_version),
        "resource.kubernetes.io/pciBusID": reading.pci_bdf,
        "resource.kubernetes.io/pcieRoot": reading.pci_root,
        "resource.kubernetes.io/numaNode": reading.numa_node,
    }
    return {name: value for name, value in told.items() if value is not None and _fits(value)}


def capacity(reading: Reading) -> dict[str, int]:
    """`pe`, and `memory` in bytes where it is known: of a Renegade in silicon."""
    pes = len(partition_of(reading).pes)
    memory_bytes = TRAITS[reading.family].pe_memory_bytes
    if memory_bytes is not None and reading.hwtype is None:
        return {"pe": pes, "memory": pes * memory_bytes}
    return {"pe": pes}


def version(text: str | None) -> AttributeValue | None:
    """The driver's `1.9.2, 3def9c2` as the version 1.9.2+3def9c2; what is no version stays a text."""
    match = _VERSION.fullmatch(text or "")
    if match is None:
        return text
    number, build = match.groups()
    return Version(number if build is None else f"{number}+{build}")


def _fits(value: AttributeValue) -> bool:
    """What is longer cannot be stored, and half a name is none."""
    text = value.text if isinstance(value, Version) else value if isinstance(value, str) else ""
    return len(text.encode("utf-8", "replace")) <= MAXIMUM_TEXT_BYTES
