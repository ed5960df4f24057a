"""The labeller's options, beside those that all agents have."""

from typing import NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.address import Address
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, Subcommand, common_options
from furiosa_npu.cluster.node import EXPECTED_LABEL_VALUE, is_label_value

PROGRAM = Program(
    "furiosa-npu-labeller",
    __version__,
    "Writes alpha.furiosa.ai/npu.family and alpha.furiosa.ai/npu.hwtype on its own node, and nothing else.",
    (
        *common_options(Address("", 6256)),
        Option(
            "rescan-seconds",
            "int",
            60,
            "Seconds between two looks where nothing happened. A device file that comes or goes is seen at once; the "
            "re-scan is for what the kernel tells nobody (a PCI device without a driver).",
            minimum=1,
            maximum=86400,
        ),
        Option(
            "silicon-hwtype",
            "string",
            None,
            "Value of the hwtype label on silicon. Without it only FPGA samples (haps, u250) have one.",
            accepts=is_label_value,
            expected=EXPECTED_LABEL_VALUE,
        ),
    ),
    (Subcommand("cleanup", "Removes both labels from the node and ends: for taking the labeller out of a cluster."),),
)


class Settings(NamedTuple):
    """Each field: the option of that name."""

    devfs_root: str
    sysfs_root: str
    node_name: str | None
    kubeconfig: str | None
    log_format: str
    log_level: str
    listen_address: Address | None
    rescan_seconds: int
    silicon_hwtype: str | None
