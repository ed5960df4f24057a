"""`/sys/class/rngd_mgmt/`: a Renegade's management folder `rngd!npu{i}mgmt`."""

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.identity_files import read_identity, read_pulse
from furiosa_npu.hardware.reading import Moving, Reading


def read_lasting(facts: Facts, reading: Reading) -> Reading:
    """`reading` with what the management folder says of the card for good, and what is seldom set.

    Files of newer drivers are absent with older ones.
    """
    return read_identity(facts, reading, "RNGD")._replace(
        soc_revision=facts.optional("board_revision", parsers.parse_text),
        soc_id=facts.optional("soc_id", parsers.parse_text),
        clocks=facts.optional("npu_clocks", parsers.parse_clocks) or (),
        pe_ids=facts.optional("cur_pe_ids", parsers.parse_pe_ids),
        governor=facts.optional("npu_governor", parsers.parse_text),
    )


def read_moving(facts: Facts, reading: Reading) -> Moving:
    """What may be another at each look at the card: signs of life and of use."""
    state = facts.required("device_state", parsers.parse_text)
    alive = facts.meaning("device_state", state, lambda text: parsers.parse_device_state(text, reading.driver_version))
    occupancy = facts.optional("pe_occupancy", parsers.parse_occupancy)
    throttling = facts.optional("throttle_reason", parsers.parse_throttle_reasons)
    return Moving(*read_pulse(facts), alive, (), occupancy, throttling)
