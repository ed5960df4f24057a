"""An agent's settings: command line before environment before `--config` file before default, checked once at start.

    PROGRAM = Program("furiosa-npu-labeller", __version__, "...", (*COMMON_OPTIONS, Option("rescan-seconds", ...)))
    invocation = load(PROGRAM, Settings, tuple(sys.argv[1:]), os.environ)
    invocation.settings.rescan_seconds

`Settings` is the agent's own NamedTuple with a field for each option (`--rescan-seconds`: `rescan_seconds`).
"""

import os
import stat
import sys
from collections.abc import Callable, Mapping
from typing import Generic, Literal, NamedTuple, NoReturn, TypeVar

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.command_line import Program, SettingsError, Subcommand, checked, parse_command_line
from furiosa_npu.agent.config_file import read_config
from furiosa_npu.agent.options import Option, Value

__all__ = [
    "Address",
    "Invocation",
    "Option",
    "Origin",
    "Program",
    "SettingsError",
    "Subcommand",
    "Value",
    "common_options",
    "config_text",
    "load",
    "read_config",
    "resolve",
    "root_options",
]

Origin = Literal["command line", "environment", "config file", "default"]

T = TypeVar("T")


class Resolved(NamedTuple):
    """Every option's value and where it came from, by `Option.field`."""

    subcommand: str | None
    values: dict[str, Value]
    origins: dict[str, Origin]
    config: str | None
    wanted: str | None


class Invocation(NamedTuple, Generic[T]):
    """How the agent was started."""

    subcommand: str | None
    settings: T
    origins: dict[str, Origin]
    """`Option.field` to where its value came from"""
    config: str | None
    """`--config`'s file; None: none was given"""


def root_options() -> tuple[Option, ...]:
    """Where the driver's files are: options of all that read them."""
    return (
        Option(
            "devfs-root",
            "string",
            "/dev",
            "Folder of the device files. Another one than /dev for a simulated or recorded tree.",
            ("FURIOSA_DEVFS_ROOT",),
        ),
        Option(
            "sysfs-root",
            "string",
            "/sys",
            "Folder of the driver's facts. Another one than /sys for a simulated or recorded tree.",
            ("FURIOSA_SYSFS_ROOT",),
        ),
    )


def common_options(listen_address: Address) -> tuple[Option, ...]:
    """The options that all agents have; `listen_address` is the agent's own default."""
    return (
        *root_options(),
        Option(
            "node-name",
            "string",
            None,
            "This node's name in Kubernetes. The pod gets it from spec.nodeName; there is nothing to guess it from.",
            ("NODE_NAME", "K8S_NODE_NAME"),
        ),
        Option(
            "kubeconfig",
            "string",
            None,
            "How to reach the API server outside a cluster. Without it: the pod's own service account.",
        ),
        Option(
            "start-jitter-seconds",
            "int",
            1,
            "After its start the agent waits up to so many seconds, left to chance, before it asks the API server: a "
            "thousand nodes that come back at once do not ask at once. Nothing on the node waits for it. 0: none.",
            minimum=0,
            maximum=600,
        ),
        Option("log-format", "choice", "text", "Log lines for people (text) or machines (json).", (), ("text", "json")),
        Option(
            "log-level",
            "choice",
            "info",
            "The least that is logged. info says what changed and is silent in peace.",
            (),
            ("debug", "info", "warning", "error"),
        ),
        Option(
            "listen-address",
            "host:port",
            listen_address,
            "Where /livez, /readyz and /metrics are served; without a host on all addresses; empty for none.",
        ),
    )


def resolve(
    program: Program, arguments: tuple[str, ...], environment: Mapping[str, str], read_file: Callable[[str], str]
) -> Resolved:
    """The values of all options. `read_file` takes `--config`'s path. Raises SettingsError."""
    line = parse_command_line(program, arguments)
    if line.wanted:
        return Resolved(None, {}, {}, None, line.wanted)
    in_file: dict[str, Value] = {}
    if line.config is not None:
        in_file = read_config(read_file(line.config), program.options, line.config)
    values: dict[str, Value] = {}
    origins: dict[str, Origin] = {}
    for option in program.options:
        field = option.field
        variable = next((name for name in option.env if environment.get(name)), None)
        if field in line.values:
            values[field], origins[field] = line.values[field], "command line"
        elif variable is not None:
            values[field] = checked(option, environment[variable], f"environment variable {variable}")
            origins[field] = "environment"
        elif field in in_file:
            values[field], origins[field] = in_file[field], "config file"
        else:
            values[field], origins[field] = option.default, "default"
    return Resolved(line.subcommand, values, origins, line.config, None)


def load(
    program: Program, settings: Callable[..., T], arguments: tuple[str, ...], environment: Mapping[str, str]
) -> Invocation[T]:
    """The agent's settings object, from a process's real words, variables and files.

    `--help` and `--version` are answered here and end the process with 0, wrong use with 2 (SystemExit).
    """
    try:
        resolved = resolve(program, arguments, environment, config_text)
    except SettingsError as error:
        wrong_use(program, str(error))
    if resolved.wanted == "version":
        print(f"{program.name} {program.version}")
        raise SystemExit(0)
    if resolved.wanted == "help":
        from furiosa_npu.agent.help_text import help_text  # no agent that runs needs it

        sys.stdout.write(help_text(program))
        raise SystemExit(0)
    return Invocation(resolved.subcommand, settings(**resolved.values), resolved.origins, resolved.config)


def wrong_use(program: Program, message: str) -> NoReturn:
    """Says what was wrong and ends the process with 2: for what only the agent itself can judge."""
    sys.stderr.write(f"{program.name}: {message}\n")
    raise SystemExit(2)


def config_text(path: str) -> str:
    """What `--config`'s file holds. A pipe in its place is not waited for. Raises SettingsError."""
    try:
        with open(path, encoding="utf-8", opener=_without_waiting) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
        reason: str | None = "something other than a regular file"
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError:
        reason = "bytes that are no UTF-8"
    raise SettingsError(f"--config {path}: found {reason}, expected a readable YAML file")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
