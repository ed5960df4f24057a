"""The management files that both families have: who the card is, and how it counts."""

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.reading import Reading

HEARTBEAT = "heartbeat"


def read_identity(facts: Facts, reading: Reading, device_type: str) -> Reading:
    """`reading` with the common files that say the same as long as the card is in its slot and its driver loaded.

    `device_type`: what that file says for this family. `dev`, `device_sn`, `device_uuid` and `fw_version` may be empty
    on early cards: absent, no error.
    """

    def expected_type(text: str) -> str:
        if text != device_type:
            raise ValueError(f"{device_type}, the family of this folder")
        return text

    # An unknown platform keeps its text beside the problem that it is.
    platform = facts.required("platform_type", parsers.parse_text)
    return reading._replace(
        platform_type=platform,
        hwtype=facts.meaning("platform_type", platform, parsers.parse_hwtype),
        device_type=facts.required("device_type", expected_type),
        pci_bdf=facts.required("busname", parsers.parse_pci_bdf),
        pci_dev=facts.required("dev", parsers.parse_device_number, may_be_empty=True),
        serial=facts.required("device_sn", parsers.parse_text, may_be_empty=True),
        uuid=facts.required("device_uuid", parsers.parse_text, may_be_empty=True),
        firmware_version=facts.required("fw_version", parsers.parse_text, may_be_empty=True),
        driver_version=facts.required("version", parsers.parse_text),
    )


def read_pulse(facts: Facts) -> tuple[int | None, tuple[tuple[str, int], ...]]:
    """What moves with both families: the heartbeat, and the counters of `atr_error`."""
    return read_heartbeat(facts), facts.required("atr_error", parsers.parse_counters) or ()


def read_heartbeat(facts: Facts) -> int | None:
    """In seconds."""
    return facts.required(HEARTBEAT, parsers.parse_seconds)
