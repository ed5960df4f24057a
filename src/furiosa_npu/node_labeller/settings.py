"""The labeller's options, beside those that all agents have."""

from typing import Literal, NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.address import Address
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, Subcommand, common_options
from furiosa_npu.cluster.node import EXPECTED_LABEL_VALUE, is_dns_label, is_label_value
from furiosa_npu.node_labeller.labels import GROUPS

Publish = Literal["node", "features.d", "node-feature"]

FEATURES_DIR = "/etc/kubernetes/node-feature-discovery/features.d"

PUBLISH: tuple[Publish, ...] = ("node", "features.d", "node-feature")

PROGRAM = Program(
    "furiosa-npu-labeller",
    __version__,
    "Writes alpha.furiosa.ai/npu.family and alpha.furiosa.ai/npu.hwtype on its own node, and what --labels asks for.",
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
        Option(
            "labels",
            "list",
            (),
            f"Labels beside the two: {', '.join(GROUPS)}, or all (docs/labels.md). Repeatable, or with commas between. "
            "One that is not listed any more is removed at the next start.",
            accepts=(*GROUPS, "all").__contains__,
            expected=f"{', '.join(GROUPS)} or all",
        ),
        Option(
            "publish",
            "choice",
            "node",
            "Where the labels are put: on the node itself, or where Node Feature Discovery takes them from, a file of "
            "its features.d or a NodeFeature object (docs/nfd.md).",
            (),
            PUBLISH,
        ),
        Option(
            "features-dir",
            "string",
            FEATURES_DIR,
            "Folder of nfd-worker's local source; nfd-worker has this place fixed in its code.",
        ),
        Option(
            "node-feature-namespace",
            "string",
            "kube-system",
            "Namespace of the NodeFeature object. The pod gets its own from metadata.namespace.",
            ("POD_NAMESPACE",),
            accepts=is_dns_label,
            expected="a namespace's name: up to 63 of a-z, 0-9 and -",
        ),
        Option(
            "plane-dir",
            "string",
            "/var/lib/furiosa-npu",
            "Folder on the host where device plugin and DRA driver keep their lock (their --state-dir): for the label "
            "that says which of them hands out.",
        ),
        Option(
            "claims-dir",
            "string",
            "/var/run/cdi",
            "Folder of the CDI specifications of claims (the DRA driver's --cdi-dir): while there is one the labels "
            "stay, though the last card has left, since the claim's pod cannot end without the driver.",
        ),
    ),
    (Subcommand("cleanup", "Removes its labels from the node and ends: for taking the labeller out of a cluster."),),
)


class Settings(NamedTuple):
    """Each field: the option of that name."""

    devfs_root: str
    sysfs_root: str
    node_name: str | None
    kubeconfig: str | None
    start_jitter_seconds: int
    log_format: str
    log_level: str
    listen_address: Address | None
    rescan_seconds: int
    silicon_hwtype: str | None
    labels: tuple[str, ...]
    publish: Publish
    features_dir: str
    node_feature_namespace: str
    plane_dir: str
    claims_dir: str
