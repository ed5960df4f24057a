"""Run by the test with the vendor's library in its path: everything that the library reads of its devices, as JSON.

Any error of the library ends this program with its traceback: a tree that it cannot read is a failure.
"""

import json

import furiosa_smi  # type: ignore[import-not-found]  # the vendor's, without types


def _address(bdf: furiosa_smi.Bdf) -> str:
    return f"{bdf.domain():04x}:{bdf.bus():02x}:{bdf.device():02x}.{bdf.function():x}"


def _word(choice: object) -> str:
    """`HwBusLimit` of ThrottleReason.HwBusLimit; the library's str() is a text for people."""
    return repr(choice).rpartition(".")[2]


def _ask(device: furiosa_smi.Device) -> dict[str, object]:
    link, pci = device.pcie_info().link_info(), device.pcie_info().device_info()
    temperature, firmware = device.device_temperature(), device.firmware_version()
    return {
        "name": device.device_name(),
        "arch": str(device.arch()),
        "uuid": device.uuid(),
        "serial": device.serial(),
        "pci_bdf": _address(device.bdf()),
        "pci_dev": f"{device.major()}:{device.minor()}",
        "pci_class": [pci.vendor_id(), pci.device_id(), pci.class_id(), pci.sub_class_id()],
        "numa_node": device.numa_node(),
        "firmware_version": f"{firmware.major()}.{firmware.minor()}.{firmware.patch()}, {firmware.metadata()}",
        "alive": device.liveness(),
        "pes": device.core_num(),
        "pe_occupancy": [_word(status) for _, status in sorted(device.core_status().items())],
        "device_files": sorted([file.path(), file.cores()] for file in device.device_files()),
        "temperature_celsius": temperature.soc_peak(),
        "ambient_celsius": temperature.ambient(),
        "power_watts": device.power_consumption(),
        "governor": _word(device.governor_profile()),
        "throttle_reasons": [_word(reason) for reason in device.throttle_reason()],
        "clocks_megahertz": [megahertz for _, megahertz in sorted(device.core_frequency().items())],
        "link": [
            link.link_width_status(),
            link.max_link_width_capability(),
            link.link_speed_status(),
            link.max_link_speed_capability(),
        ],
        "memory_bytes": sum(memory.total_bytes() for memory in device.memory_usage().values()),
        "cycles": [counter.cycle_count() for _, counter in sorted(device.performance_counter().items())],
    }


def main() -> None:
    devices = furiosa_smi.list_devices()
    told = {
        "driver": str(furiosa_smi.driver_info()) if devices else None,
        "devices": [_ask(device) for device in devices],
        "disabled": [_address(device.bdf()) for device in furiosa_smi.list_disabled_devices()],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
