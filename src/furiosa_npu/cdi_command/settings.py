"""The command's options."""

from typing import NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Program, Subcommand, root_options


class Settings(NamedTuple):
    """Each field: the option of that name."""

    devfs_root: str
    sysfs_root: str
    furiosactl: str | None
    cdi_dir: str | None
    output: str | None


PROGRAM = Program(
    "furiosa-npu-cdi",
    __version__,
    "Tells container runtimes of this host's FuriosaAI NPUs: as CDI devices, for Docker, Podman and containerd.",
    (
        *root_options(),
        Option(
            "furiosactl",
            "string",
            None,
            "The static furiosactl on this host; containers get it as /usr/bin/furiosactl. Without it they get none.",
        ),
        Option(
            "cdi-dir",
            "string",
            None,
            "Writes furiosa.ai-npu.json into this folder, where it differs. Runtimes look into /etc/cdi, and into "
            "/var/run/cdi, which wins and is empty after a reboot.",
        ),
        Option("output", "string", None, "Writes this file, where it differs. Runtimes read .json files alone."),
    ),
    (
        Subcommand(
            "generate",
            "Prints the CDI specification of this host's NPUs, or writes it. A device is a card, named by its UUID, "
            "and as npu0 too where one card alone is called so.",
        ),
    ),
)
