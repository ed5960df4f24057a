"""`/sys/class/rngd_mgmt/`: a Renegade's management folder `rngd!npu{i}mgmt`."""

from furiosa_npu.hardware import parsers
from furiosa_npu.hardware.device_names import parse_device_name
from furiosa_npu.hardware.driver_file import list_names
from furiosa_npu.hardware.facts import Facts
from furiosa_npu.hardware.identity_files import read_identity
from furiosa_npu.hardware.reading import Problem, Reading

CLASS = "class/rngd_mgmt"
_PREFIX = "rngd!"
FOLDER = f"{CLASS}/{_PREFIX}npu{{index}}mgmt"


def management_indices(sysfs: str) -> tuple[int, ...]:
    """The numbers of the management folders that are there. Raises FileProblem."""
    found = []
    for name in list_names(f"{sysfs}/{CLASS}"):
        if name.startswith(_PREFIX):
            device = parse_device_name("renegade", name.removeprefix(_PREFIX))
            if device is not None and device.kind == "management":
                found.append(device.index)
    return tuple(sorted(found))


def read_management(sysfs: str, reading: Reading, problems: list[Problem]) -> Reading:
    """`reading` with what the management folder says; files of newer drivers are absent with older ones."""
    facts = Facts(f"{sysfs}/{FOLDER.format(index=reading.index)}", problems)
    reading = read_identity(facts, reading, "RNGD")
    version = reading.driver_version
    return reading._replace(
        soc_revision=facts.optional("board_revision", parsers.parse_text),
        soc_id=facts.optional("soc_id", parsers.parse_text),
        alive=facts.required("device_state", lambda text: parsers.parse_device_state(text, version)),
        clocks=facts.optional("npu_clocks", parsers.parse_clocks) or (),
        pe_ids=facts.optional("cur_pe_ids", parsers.parse_pe_ids),
        pe_occupancy=facts.optional("pe_occupancy", parsers.parse_occupancy),
        governor=facts.optional("npu_governor", parsers.parse_text),
        throttle_reasons=facts.optional("throttle_reason", parsers.parse_throttle_reasons),
    )
