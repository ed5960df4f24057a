"""What one card says for `--labels`, beside its type."""

from furiosa_npu.hardware.reading import Reading
from furiosa_npu.node_labeller.labels import CardFacts, CardType
from furiosa_npu.node_labeller.sight import card_type

_FILES = ("version", "fw_version", "numa_node")


def card_with_facts(reading: Reading) -> CardType:
    """As `sight.card_type`, with its facts."""
    files = {problem.path.rpartition("/")[2] for problem in reading.problems}
    unread = {file for file in _FILES if file in files}
    if reading.pci_bdf is None:
        unread.add("numa_node")  # nobody can look where it is
    facts = CardFacts(
        reading.management,
        reading.driver_version,
        reading.firmware_version,
        reading.numa_node,
        tuple(sorted(unread)),
    )
    return card_type(reading)._replace(facts=facts)
