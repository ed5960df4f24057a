"""The command line of `furiosa-npu-simulator`."""

import argparse

from furiosa_npu import __version__
from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.simulator.faults import KINDS

_NPU_HELP = "UUID, PCI address, or a name that is unique (npu0)"


def parser() -> argparse.ArgumentParser:
    """Each command with its arguments; `--help` of those that speak of faults lists them all."""
    everywhere = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    everywhere.add_argument("--version", action="version", version=f"furiosa-npu-simulator {__version__}")
    everywhere.add_argument("--devfs-root", metavar="FOLDER", help="in place of DIR/dev; never /dev itself")
    everywhere.add_argument("--sysfs-root", metavar="FOLDER", help="in place of DIR/sys; never /sys itself")
    whole = argparse.ArgumentParser(
        prog="furiosa-npu-simulator",
        description="Simulated NPUs: writes what the drivers show (DIR/dev, DIR/sys) and changes it while it lives.",
        epilog=_list_of_faults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[everywhere],
        allow_abbrev=False,
    )
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=_list_of_faults() if name in ("fail", "recover") else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[everywhere],
            allow_abbrev=False,
        )
        made.add_argument("dir", metavar="DIR", help="the simulation's folder")
        return made

    create = command("create", "Write the cards of a scenario, in place of what an earlier create wrote.")
    create.add_argument("scenario", metavar="SCENARIO", help="YAML file with a list of cards")
    create.add_argument("--plain-files", action="store_true", help="plain files for devices, even as root")
    command("run", "Keep it living: heartbeats and the counters of PEs in use move, until SIGTERM or Ctrl-C.")
    play = command("play", "Do the steps of a script at their times, beside a run; ends after the last.")
    play.add_argument("script", metavar="SCRIPT", help="YAML file with a list of steps")
    mount = command("mount", "Serve DIR/sys at a folder, where system calls can fail too, until SIGTERM or Ctrl-C.")
    mount.add_argument("mountpoint", metavar="MOUNTPOINT", help="an empty folder; --sysfs-root of those who read")
    mount.add_argument("--devfs", action="store_true", help="DIR/dev as plain files, busy where PEs are in use")
    mount.add_argument("--allow-other", action="store_true", help="for all users, not for this one alone")
    per_card = {
        "fail": "A card has a fault from now on; without FAULT it is not alive.",
        "recover": "A card has no fault any more; with FAULT, not that one.",
        "remove": "A card drops off the bus.",
        "add": "A card that was removed is back, or new cards of a scenario are there.",
        "renumber": "The driver gives a card another number.",
        "replace": "Another card of the same kind, with another UUID and serial number, is in a card's slot.",
        "occupy": "Somebody opens PEs of a card; without PE, all.",
        "release": "Whoever holds PEs of a card closes them; without PE, all.",
    }
    for name, text in per_card.items():
        made = command(name, text)
        if name == "add":
            which = made.add_mutually_exclusive_group(required=True)
            which.add_argument("npu", metavar="NPU", nargs="?", help=_NPU_HELP)
            which.add_argument("--scenario", metavar="SCENARIO", help="YAML file with a list of new cards")
        else:
            made.add_argument("npu", metavar="NPU", help=_NPU_HELP)
        if name == "fail":
            made.add_argument("fault", metavar="FAULT[=VALUE]", nargs="?", default="not-alive", help="see below")
        if name == "recover":
            made.add_argument("fault", metavar="FAULT[=VALUE]", nargs="?", help="see below; without it, all")
        if name == "renumber":
            made.add_argument("index", metavar="INDEX", type=int, help="0 to 255, no other card's of the family")
        if name == "replace":
            made.add_argument("--uuid", metavar="UUID", help="the new card's; by default one made of the old card's")
        if name in ("occupy", "release"):
            made.add_argument("pes", metavar="PE", nargs="*", help="as in a device file's name: 0, pe0, 0-1")
    driver = command("driver", "Load or unload the drivers: device files and management folders come or go.")
    driver.add_argument("action", choices=("load", "unload"))
    driver.add_argument("--family", choices=FAMILIES, action="append", help="one family's driver alone; repeatable")
    return whole


def _list_of_faults() -> str:
    width = max(len(kind.usage) for kind in KINDS)
    lines = [f"  {kind.usage:<{width}}  {kind.what}" for kind in KINDS]
    lines += ["", "What DIR/sys cannot show by itself, syscall and hang, shows through a mount alone."]
    return "\n".join(["faults:", *lines])
