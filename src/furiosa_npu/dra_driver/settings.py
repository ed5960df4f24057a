"""The DRA driver's options and its settings object."""

from typing import Literal, NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.address import Address
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, Subcommand, common_options
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.hardware.reading import Family
from furiosa_npu.health.verdict import UnknownOccupancy
from furiosa_npu.watch.options import CARD_OPTIONS

FailedEffect = Literal["NoSchedule", "NoExecute"]


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
    state_dir: str
    startup_taint: str | None
    cdi_dir: str
    kubelet_dir: str
    instance: str
    failed_taint: FailedEffect
    retire: bool


PROGRAM = Program(
    "furiosa-npu-dra-driver",
    __version__,
    "Publishes idle, healthy FuriosaAI NPUs and their PEs as devices of resource.k8s.io/v1, and prepares claims.",
    (
        *common_options(Address("", 6257)),
        *CARD_OPTIONS,
        Option(
            "kubelet-dir",
            "string",
            "/var/lib/kubelet",
            "The kubelet's folder; its plugins_registry and plugins are where the driver's sockets are found.",
        ),
        Option(
            "instance",
            "string",
            "driver",
            "What no other instance on this node is called, e.g. the pod's UID: during a rolling update two serve at "
            "once, each by sockets of its own.",
            ("POD_UID",),
        ),
        Option(
            "failed-taint",
            "choice",
            "NoSchedule",
            "The effect of the taint of a card that has failed: NoExecute moves the pod that has it, NoSchedule only "
            "keeps others away.",
            (),
            ("NoSchedule", "NoExecute"),
        ),
        Option(
            "retire",
            "bool",
            False,
            "Publishes nothing, prepares nothing new, and unprepares until no claim is left, so that the device "
            "plugin can take over: the kubelet cannot end a pod with a prepared claim while its driver is away.",
        ),
    ),
    (
        Subcommand(
            "status",
            "A line for each card and part of a card: name, device, state, reason, since when, and the pods that hold "
            "it. Asks the driver that listens on --listen-address of this machine or container.",
        ),
    ),
)
