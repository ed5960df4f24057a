"""The command `furiosa-npu-simulator`: arguments in, one line a card out; 0 done, 1 failed at work, 2 wrong use."""

import argparse
import sys
from collections.abc import Sequence

from furiosa_npu import __version__
from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.simulator.card import ScenarioError
from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.scenario import parse_scenario
from furiosa_npu.simulator.simulation import NoSimulationError, Simulation, WrongRootError
from furiosa_npu.simulator.state import FAULTS, CardState, State, UnknownNpuError, find
from furiosa_npu.simulator.state_file import StateFileError

_NPU_HELP = "UUID, PCI address, or a name that is unique (npu0)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one command."""
    options = _parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options)
    except (ScenarioError, UnknownNpuError, NoSimulationError, WrongRootError) as error:
        return _complain(error, 2)
    except (ChangeError, StateFileError) as error:
        return _complain(error, 1)
    except OSError as error:
        return _complain(f"{error.filename or options.dir}: {error.strerror}", 1)
    return 0


def _create(options: argparse.Namespace) -> None:
    cards = parse_scenario(_read(options.scenario), options.scenario)
    simulation = Simulation.create(
        options.dir,
        cards,
        plain_files=options.plain_files,
        devfs_root=_root(options, "devfs_root"),
        sysfs_root=_root(options, "sysfs_root"),
    )
    now = simulation.state()
    kind = "plain files" if now.plain_files else "character devices"
    print(f"devfs root {simulation.roots.devfs} ({kind}), sysfs root {simulation.roots.sysfs}")
    _show(now.cards, now)


def _run(options: argparse.Namespace) -> None:
    from furiosa_npu.simulator.run import run

    run(_open(options), lambda: print(f"{options.dir}: running until SIGTERM or Ctrl-C", flush=True))


def _fail(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).fail(options.npu, options.fault))


def _recover(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).recover(options.npu))


def _remove(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).remove(options.npu))


def _add(options: argparse.Namespace) -> None:
    simulation = _open(options)
    if options.npu is not None:
        _show_one(options, simulation.add(options.npu))
        return
    there = simulation.state().cards
    cards = parse_scenario(_read(options.scenario), options.scenario, beside=[card.card for card in there])
    now = simulation.add_cards(cards)
    _show(now.cards[len(there) :], now)


def _occupy(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).occupy(options.npu, options.pes))


def _release(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).release(options.npu, options.pes))


def _driver(options: argparse.Namespace) -> None:
    simulation = _open(options)
    families = tuple(options.family or FAMILIES)
    now = simulation.unload_driver(families) if options.action == "unload" else simulation.load_driver(families)
    _show(now.cards, now)


_COMMANDS = {
    "create": _create,
    "run": _run,
    "fail": _fail,
    "recover": _recover,
    "remove": _remove,
    "add": _add,
    "occupy": _occupy,
    "release": _release,
    "driver": _driver,
}


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    everywhere.add_argument("--version", action="version", version=f"furiosa-npu-simulator {__version__}")
    everywhere.add_argument("--devfs-root", metavar="FOLDER", help="in place of DIR/dev; never /dev itself")
    everywhere.add_argument("--sysfs-root", metavar="FOLDER", help="in place of DIR/sys; never /sys itself")
    parser = argparse.ArgumentParser(
        prog="furiosa-npu-simulator",
        description="Simulated NPUs: writes what the drivers show (DIR/dev, DIR/sys) and changes it while it lives.",
        parents=[everywhere],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[everywhere], allow_abbrev=False)
        made.add_argument("dir", metavar="DIR", help="the simulation's folder")
        return made

    create = command("create", "Write the cards of a scenario, in place of what an earlier create wrote.")
    create.add_argument("scenario", metavar="SCENARIO", help="YAML file with a list of cards")
    create.add_argument("--plain-files", action="store_true", help="plain files for devices, even as root")
    command("run", "Keep it living: heartbeats and the counters of PEs in use move, until SIGTERM or Ctrl-C.")
    per_card = {
        "fail": "A card has a fault from now on; without FAULT it is not alive.",
        "recover": "A card has no fault any more.",
        "remove": "A card drops off the bus.",
        "add": "A card that was removed is back, or new cards of a scenario are there.",
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
            made.add_argument(
                "fault", metavar="FAULT", nargs="?", choices=FAULTS, default=FAULTS[0], help=", ".join(FAULTS)
            )
        if name in ("occupy", "release"):
            made.add_argument("pes", metavar="PE", nargs="*", help="as in a device file's name: 0, pe0, 0-1")
    driver = command("driver", "Load or unload the drivers: device files and management folders come or go.")
    driver.add_argument("action", choices=("load", "unload"))
    driver.add_argument("--family", choices=FAMILIES, action="append", help="one family's driver alone; repeatable")
    return parser


def _root(options: argparse.Namespace, name: str) -> str | None:
    value: str | None = getattr(options, name, None)
    return value


def _open(options: argparse.Namespace) -> Simulation:
    return Simulation.open(
        options.dir, devfs_root=_root(options, "devfs_root"), sysfs_root=_root(options, "sysfs_root")
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise ScenarioError(path, f"a byte that is no UTF-8 at {error.start}", "YAML text") from error
    except OSError as error:
        raise ScenarioError(path, error.strerror or "nothing to read", "YAML text") from error


def _show_one(options: argparse.Namespace, now: State) -> None:
    _show([find(now, options.npu)], now)


def _show(cards: Sequence[CardState], now: State) -> None:
    for card in cards:
        words = [f"fault {fault}" for fault in card.faults]
        words += [f"in use {hold.suffix}" for hold in card.holds]
        words += ["driver unloaded"] if card.card.family in now.unloaded else []
        words = words if card.present else ["removed"]
        facts = card.card
        print(f"{facts.name} {facts.family} {facts.uuid or '-'} {facts.pci_bdf}: {', '.join(words) or 'idle'}")


def _complain(error: object, code: int) -> int:
    print(f"furiosa-npu-simulator: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
