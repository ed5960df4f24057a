"""The device plugin's options and its settings object."""

from typing import NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.address import Address
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, common_options
from furiosa_npu.allocation.pe_form import PE_FORMS, PeForm
from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.health.verdict import UnknownOccupancy

RESOURCES = ("alpha.furiosa.ai/npu", "furiosa.ai/npu")
"""The resource names, both over one pool."""


class Settings(NamedTuple):
    """A field an option; units and reasons stand in the options' help."""

    devfs_root: str
    sysfs_root: str
    node_name: str | None
    kubeconfig: str | None
    log_format: str
    log_level: str
    listen_address: Address | None
    family: Family | None
    device_plugins_dir: str
    pod_resources_socket: str
    default_pe: PeForm
    disable: tuple[str, ...]
    host_tools_dir: str
    furiosactl: str
    unknown_occupancy: UnknownOccupancy


PROGRAM = Program(
    "furiosa-npu-plugin",
    __version__,
    "Hands idle, healthy FuriosaAI NPUs to pods that ask for " + " or ".join(RESOURCES) + ".",
    (
        *common_options(Address("", 6255)),
        Option(
            "family",
            "choice",
            None,
            "The family whose cards are handed out; those of the other are disabled. Default: warboy where there is "
            "one, else renegade, as the node labeller says.",
            (),
            FAMILIES,
        ),
        Option(
            "device-plugins-dir",
            "string",
            "/var/lib/kubelet/device-plugins",
            "The kubelet's folder for device plugins; the kubelet has this place fixed in its code.",
        ),
        Option(
            "pod-resources-socket",
            "string",
            "/var/lib/kubelet/pod-resources/kubelet.sock",
            "The kubelet's pod-resources API, which says who holds which card.",
        ),
        Option(
            "default-pe",
            "choice",
            "fused",
            "Whether a container's NPU_DEVNAME names a card's PEs fused (npu0pe0-1) or each on its own.",
            (),
            PE_FORMS,
        ),
        Option(
            "disable",
            "list",
            (),
            "Takes a card out, by UUID, PCI address or name; its pod keeps it. Repeatable. In the --config file it is "
            "read again when the file changes.",
        ),
        Option(
            "host-tools-dir",
            "string",
            "/var/lib/furiosa-npu/bin",
            "Folder on the host for the furiosactl that containers get; the same path inside and outside.",
        ),
        Option(
            "furiosactl",
            "string",
            "/usr/libexec/furiosa-npu/furiosactl",
            "The static furiosactl to put there; where there is none, containers get none.",
        ),
        Option(
            "unknown-occupancy",
            "choice",
            "offer",
            "What to do with a card whose driver shows no sign of use: offer it as idle, or withhold it.",
            (),
            ("offer", "withhold"),
        ),
    ),
)
