"""The device plugin's options and its settings object."""

from typing import NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.address import Address
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, Subcommand, common_options
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.device_plugin.injection import INJECTIONS, Injection
from furiosa_npu.hardware.reading import Family
from furiosa_npu.health.verdict import UnknownOccupancy
from furiosa_npu.watch.options import CARD_OPTIONS, RESOURCES


class Settings(NamedTuple):
    """A field an option; units and reasons stand in the options' help."""

    devfs_root: str
    sysfs_root: str
    node_name: str | None
    kubeconfig: str | None
    start_jitter_seconds: int
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
    sign: tuple[str, ...]
    cycle_seconds: int
    probation_seconds: int
    probation_longest_seconds: int
    probation_quiet_seconds: int
    active_probe: bool
    held_bad_is_unhealthy: bool
    state_dir: str
    injection: Injection
    startup_taint: str | None
    cdi_dir: str


PROGRAM = Program(
    "furiosa-npu-plugin",
    __version__,
    "Hands idle, healthy FuriosaAI NPUs to pods that ask for " + " or ".join(RESOURCES) + ".",
    (
        *common_options(Address("", 6255)),
        *CARD_OPTIONS,
        Option(
            "device-plugins-dir",
            "string",
            "/var/lib/kubelet/device-plugins",
            "The kubelet's folder for device plugins; the kubelet has this place fixed in its code.",
        ),
        Option(
            "held-bad-is-unhealthy",
            "bool",
            False,
            "Lists a card that a pod holds and that goes bad Unhealthy at once, for those who read "
            "allocatedResourcesStatus in the pod. Off: that takes a good card from the next pod.",
        ),
        Option(
            "injection",
            "choice",
            "auto",
            "How cards reach containers: as device files in the answer to the kubelet, or as CDI devices, which "
            "kubelet and runtime have to know. auto: by CDI where the node says kubelet 1.31 and containerd 2.0 or "
            "newer, else as device files.",
            (),
            INJECTIONS,
        ),
    ),
    (
        Subcommand(
            "status",
            "A line for each card: name, UUID, state, reason, since when, and the pod and container that hold it. Asks "
            "the plugin that listens on --listen-address of this machine or container.",
        ),
    ),
)
