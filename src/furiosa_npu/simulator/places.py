"""Where a card's own files lie in the tree."""

from furiosa_npu.simulator.card import Card


def management_name(card: Card) -> str:
    """The name of the management folder and its device file: `npu0_mgmt`, `npu0mgmt`."""
    return f"{card.name}_mgmt" if card.family == "warboy" else f"{card.name}mgmt"


def class_entry(card: Card, device: str) -> tuple[str, str]:
    """The folder of one of the card's devices, and the link in its class that leads there."""
    if card.family == "warboy":
        return f"sys/devices/virtual/npu_mgmt/{device}", f"sys/class/npu_mgmt/{device}"
    return f"sys/devices/virtual/rngd_mgmt/rngd!{device}", f"sys/class/rngd_mgmt/rngd!{device}"


def management_folder(card: Card) -> str:
    """The folder itself, not the link."""
    return class_entry(card, management_name(card))[0]


def device_file(card: Card, suffix: str) -> str:
    """The device file of this suffix (`pe0-1`; empty: a Warboy as a whole)."""
    return f"dev/{card.name}{suffix}" if card.family == "warboy" else f"dev/rngd/{card.name}{suffix}"
