"""The options of agents that watch a node's cards, and what they say about judging."""

from collections.abc import Mapping
from typing import Protocol

from furiosa_npu.agent.options import Option
from furiosa_npu.allocation.census import Rules
from furiosa_npu.allocation.pe_form import PE_FORMS, PeForm
from furiosa_npu.cluster.taints import EXPECTED_TAINT_KEY, is_taint_key
from furiosa_npu.hardware.reading import FAMILIES, Family
from furiosa_npu.health import judge, signs
from furiosa_npu.health.probation import Trust
from furiosa_npu.health.verdict import UnknownOccupancy

RESOURCES = ("alpha.furiosa.ai/npu", "furiosa.ai/npu")
"""The resource names under which pods ask for cards, all over one pool."""


class ProbationSettings(Protocol):
    """What `contradiction` asks of an agent's settings object."""

    @property
    def probation_seconds(self) -> int: ...
    @property
    def probation_longest_seconds(self) -> int: ...
    @property
    def probation_quiet_seconds(self) -> int: ...


class CardSettings(ProbationSettings, Protocol):
    """What `rules` asks of an agent's settings object."""

    @property
    def family(self) -> Family | None: ...
    @property
    def default_pe(self) -> PeForm: ...
    @property
    def disable(self) -> tuple[str, ...]: ...
    @property
    def unknown_occupancy(self) -> UnknownOccupancy: ...
    @property
    def sign(self) -> tuple[str, ...]: ...


def rules(settings: CardSettings) -> Rules:
    """What the settings say about judging and handing out."""
    trust = Trust(
        float(settings.probation_seconds),
        float(settings.probation_longest_seconds),
        float(settings.probation_quiet_seconds),
    )
    health = judge.Rules(signs.bounds(settings.sign), trust, settings.unknown_occupancy)
    return Rules(settings.family, settings.disable, settings.default_pe, health)


def contradiction(settings: ProbationSettings, origins: Mapping[str, str]) -> str | None:
    """What options say against each other, each of which would do alone; None: nothing.

    `origins`: where each field's value came from.
    """
    first, longest, quiet = (
        settings.probation_seconds,
        settings.probation_longest_seconds,
        settings.probation_quiet_seconds,
    )
    bound = f"--probation-longest-seconds, which is {longest} ({origins['probation_longest_seconds']})"
    if first > longest:
        return f"--probation-seconds: found {first}, expected at most {bound}"
    if quiet < longest:
        return f"--probation-quiet-seconds: found {quiet}, expected at least {bound}"
    return None


CARD_OPTIONS: tuple[Option, ...] = (
    Option(
        "family",
        "choice",
        None,
        "The family whose cards are handed out; those of the other are disabled. Default: "
        f"{' where there is one, else '.join(FAMILIES)}, as the node labeller says.",
        (),
        FAMILIES,
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
    Option(
        "sign",
        "list",
        (),
        "Turns a sign of health off or on, or sets its bound: temperature=90, throttling=off. Repeatable; "
        "docs/health.md lists the signs.",
        accepts=signs.is_setting,
        expected=signs.EXPECTED,
    ),
    Option(
        "cycle-seconds",
        "int",
        1,
        "Seconds between two looks at all cards where nothing happens. Bad news is found within one.",
        minimum=1,
        maximum=60,
    ),
    Option(
        "probation-seconds",
        "int",
        1,
        "Seconds that a card which went bad has to be good before it is offered again; doubled at each relapse.",
        minimum=0,
        maximum=3600,
    ),
    Option(
        "probation-longest-seconds",
        "int",
        300,
        "The longest that a probation becomes, in seconds.",
        minimum=0,
        maximum=86400,
    ),
    Option(
        "probation-quiet-seconds",
        "int",
        3600,
        "After so many seconds without a fault, a card's earlier ones are forgotten, and a probation with them: no "
        "less than the longest one.",
        minimum=1,
        maximum=604800,
    ),
    Option(
        "active-probe",
        "bool",
        False,
        "Also opens the device files of cards that nobody holds, once a cycle: EBUSY tells that one is in use. "
        "Off: opening is exclusive, and in a container the device cgroup answers in the driver's place.",
    ),
    Option(
        "state-dir",
        "string",
        "/var/lib/furiosa-npu",
        "Folder on the host for what must survive a restart of this agent, a small file, and for the "
        "lock between device plugin and DRA driver, without which nothing is handed out.",
    ),
    Option(
        "startup-taint",
        "string",
        None,
        "Key of a taint that this node was born with, such as npu.furiosa.ai/not-ready: it is removed, once, when the "
        "node's NPUs are offered. Takes the right to patch nodes (docs/startup-taint.md).",
        accepts=is_taint_key,
        expected=EXPECTED_TAINT_KEY,
    ),
    Option(
        "cdi-dir",
        "string",
        "/var/run/cdi",
        "Folder on the host for the CDI specification, one into which the container runtime looks.",
    ),
)
