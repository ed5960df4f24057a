"""A card on the PCI bus: `/sys/bus/pci/devices/<bdf>`, with its sensors once a driver has taken it.

Files as in the kernel's Documentation/ABI/testing/sysfs-bus-pci and Documentation/hwmon/sysfs-interface.
"""

from furiosa_npu.simulator.families import model_of
from furiosa_npu.simulator.management import line
from furiosa_npu.simulator.nodes import Text, Tree, link_between
from furiosa_npu.simulator.state import CardState


def render(state: CardState, hwmon: int, driven: bool) -> Tree:
    """The PCI device; `driven`: with driver link and sensors, numbered `hwmon`."""
    card = state.card
    folder = _folder(card.pci_bdf)
    model = model_of(card)
    width, speed = model.link_width, model.link_speed
    files = {
        "vendor": line("0x1ed2"),
        "device": line(model.pci_device),
        "class": line("0x120000"),
        "revision": line("0x00"),
        "subsystem_vendor": line("0x1ed2"),
        "subsystem_device": line(model.pci_device),
        "numa_node": line(card.numa_node),
        "local_cpus": line("ffffffff"),
        "local_cpulist": line("0-31"),
        "current_link_width": line(width // 2 if state.has("link-narrow") else width),
        "max_link_width": line(width),
        "current_link_speed": line(model.slower_link_speed if state.has("link-slow") else speed),
        "max_link_speed": line(speed),
        "uevent": Text(f"PCI_CLASS=120000\nPCI_ID=1ED2:{model.pci_device[2:]}\nPCI_SLOT_NAME={card.pci_bdf}\n", 0o644),
    }
    bus = f"sys/bus/pci/devices/{card.pci_bdf}"
    tree: Tree = {f"{folder}/{name}": text for name, text in files.items()}
    if driven:
        sensors = f"{folder}/hwmon/hwmon{hwmon}"
        tree |= {f"{sensors}/{name}": text for name, text in _sensors(state).items()}
        driver = f"sys/bus/pci/drivers/{model.driver}"
        tree[f"sys/class/hwmon/hwmon{hwmon}"] = link_between(f"sys/class/hwmon/hwmon{hwmon}", sensors)
        tree[f"{driver}/{card.pci_bdf}"] = link_between(f"{driver}/{card.pci_bdf}", folder)
        tree[f"{folder}/driver"] = link_between(f"{folder}/driver", driver)
    tree[bus] = link_between(bus, folder)
    return tree


def _folder(bdf: str) -> str:
    """Behind a port of its own of the domain's root, as cards in slots are; on bus 0 at the root itself."""
    domain, bus_text, _ = bdf.split(":")
    bus = int(bus_text, 16)
    root = f"sys/devices/pci{domain}:00"
    return f"{root}/{bdf}" if bus == 0 else f"{root}/{domain}:00:{bus >> 3:02x}.{bus & 7}/{bdf}"


def _sensors(state: CardState) -> dict[str, Text]:
    """millidegrees Celsius, microwatts, milliamperes, millivolts."""
    card = state.card
    millidegrees = round(float(state.value_of("temperature") or card.temperature_celsius) * 1000)
    microwatts = round(card.power_watts * 1_000_000)
    model = model_of(card)
    files = {"name": line(card.name), **model.more_sensors(card)}
    files |= {"power1_label": line("RMS_TOTAL"), "power1_average": line(microwatts)}
    for number, label in enumerate(model.temperatures, start=1):
        files[f"temp{number}_label"] = line(label)
        if card.critical_celsius is not None:
            files[f"temp{number}_crit"] = line(round(card.critical_celsius * 1000))
        files[f"temp{number}_input"] = line(millidegrees if label == "PEAK" else min(millidegrees, 28_000))
    return files
