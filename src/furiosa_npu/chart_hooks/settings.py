"""The command's options."""

from typing import NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, Subcommand
from furiosa_npu.chart_hooks.traces import STARTUP_TAINT
from furiosa_npu.cluster.node import is_dns_label
from furiosa_npu.cluster.taints import EXPECTED_TAINT_KEY, is_taint_key
from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.node_labeller.settings import FEATURES_DIR


class Settings(NamedTuple):
    """Each field: the option of that name."""

    kubeconfig: str | None
    namespace: str
    deadline_seconds: int
    startup_taint: str
    state_dir: str
    cdi_dir: str
    kubelet_dir: str
    features_dir: str
    family: Family | None


PROGRAM = Program(
    "furiosa-npu-chart-hook",
    __version__,
    "What the Helm chart's hooks run: finds pods that hold NPUs, and removes what the agents leave behind.",
    (
        Option(
            "kubeconfig",
            "string",
            None,
            "How to reach the API server outside a cluster. Without it: the pod's own service account.",
        ),
        Option(
            "namespace",
            "string",
            "kube-system",
            "Where the agents run.",
            ("POD_NAMESPACE",),
            accepts=is_dns_label,
            expected="a namespace's name",
        ),
        Option(
            "deadline-seconds",
            "int",
            120,
            "How long to wait for the agents' pods to end, or for all nodes to be swept. Pods on nodes that are not "
            "Ready are not waited for.",
            minimum=1,
            maximum=3600,
        ),
        Option(
            "startup-taint",
            "string",
            STARTUP_TAINT,
            "Key of the taint that nodes are born with: removed, since without the agents nobody does it.",
            accepts=is_taint_key,
            expected=EXPECTED_TAINT_KEY,
        ),
        Option("state-dir", "string", "/var/lib/furiosa-npu", "The agents' folder on the host: all in it is removed."),
        Option("cdi-dir", "string", "/var/run/cdi", "Where CDI specifications of ours are removed."),
        Option(
            "kubelet-dir", "string", "/var/lib/kubelet", "The kubelet's folder, in which sockets of ours are removed."
        ),
        Option("features-dir", "string", FEATURES_DIR, "Folder of nfd-worker's local source: our file is removed."),
        Option(
            "family",
            "choice",
            None,
            "The family whose nodes the DRA driver stays on: check-claims looks at the other nodes alone.",
            (),
            FAMILIES,
        ),
    ),
    (
        Subcommand("check", "Fails while pods hold NPUs, and names them."),
        Subcommand("check-claims", "Fails while pods hold NPUs through DRA, and names them."),
        Subcommand(
            "sweep-cluster",
            "Waits for the agents' DaemonSets to be gone and their pods to end, then removes labels, conditions, the "
            "startup taint, ResourceSlices and NodeFeatures; nothing while these DaemonSets are there.",
        ),
        Subcommand("see-card", "Fails in a container that was given no NPU."),
        Subcommand(
            "sweep-node",
            "Removes the agents' files from the node that it runs on; nothing while one hands out cards there.",
        ),
        Subcommand("stay", "Does nothing until it is ended: a DaemonSet's pod has to stay."),
        Subcommand("await-nodes", "Waits until the pods of furiosa-npu-sweep have swept all nodes."),
    ),
)
