"""The command `furiosa-npu-simulator`: arguments in, one line a card out; 0 done, 1 failed at work, 2 wrong use."""

import argparse
import os
import select
import sys
import time
from collections.abc import Sequence

from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.simulator.card import ScenarioError
from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.command_line import parser
from furiosa_npu.simulator.faults import KIND, Fault, FaultError
from furiosa_npu.simulator.mount_mark import is_mounted
from furiosa_npu.simulator.scenario import parse_scenario
from furiosa_npu.simulator.simulation import NoSimulationError, Simulation, WrongRootError
from furiosa_npu.simulator.state import CardState, State, UnknownNpuError, find
from furiosa_npu.simulator.state_file import StateFileError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one command."""
    options = parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options)
    except (ScenarioError, UnknownNpuError, FaultError, NoSimulationError, WrongRootError) as error:
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
    _show(options, now.cards, now)


def _run(options: argparse.Namespace) -> None:
    from furiosa_npu.simulator.run import run

    run(_open(options), lambda: print(f"{options.dir}: running until SIGTERM or Ctrl-C", flush=True))


def _play(options: argparse.Namespace) -> None:
    from furiosa_npu.simulator.script import parse_script, play
    from furiosa_npu.simulator.stop import stop_descriptor

    simulation = _open(options)
    steps = parse_script(_read(options.script), options.script)
    stop = stop_descriptor()

    def wait(seconds: float) -> bool:
        return bool(select.select([stop], [], [], seconds)[0])

    play(simulation, steps, wait, time.monotonic, lambda step: print(step, flush=True))


def _mount(options: argparse.Namespace) -> None:
    from furiosa_npu.simulator.mount import mount

    options.dir = os.path.abspath(options.dir)  # libfuse goes to / once it serves
    mount(
        _open(options),
        options.mountpoint,
        lambda: print(f"{options.mountpoint}: mounted until SIGTERM or Ctrl-C", flush=True),
        devfs=options.devfs,
        allow_other=options.allow_other,
    )


def _fail(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).fail(options.npu, options.fault))


def _recover(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).recover(options.npu, options.fault))


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
    _show(options, now.cards[len(there) :], now)


def _renumber(options: argparse.Namespace) -> None:
    simulation = _open(options)
    position = _position(simulation, options.npu)
    now = simulation.renumber(options.npu, options.index)
    _show(options, [now.cards[position]], now)


def _replace(options: argparse.Namespace) -> None:
    simulation = _open(options)
    position = _position(simulation, options.npu)
    now = simulation.replace(options.npu, options.uuid)
    _show(options, [now.cards[position]], now)


def _occupy(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).occupy(options.npu, options.pes))


def _release(options: argparse.Namespace) -> None:
    _show_one(options, _open(options).release(options.npu, options.pes))


def _driver(options: argparse.Namespace) -> None:
    simulation = _open(options)
    families = tuple(options.family or FAMILIES)
    now = simulation.unload_driver(families) if options.action == "unload" else simulation.load_driver(families)
    _show(options, now.cards, now)


_COMMANDS = {
    "create": _create,
    "run": _run,
    "play": _play,
    "mount": _mount,
    "fail": _fail,
    "recover": _recover,
    "remove": _remove,
    "add": _add,
    "renumber": _renumber,
    "replace": _replace,
    "occupy": _occupy,
    "release": _release,
    "driver": _driver,
}


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


def _position(simulation: Simulation, npu: str) -> int:
    """Which card it is, for when it has another name."""
    now = simulation.state()
    target = find(now, npu)
    return next(position for position, card in enumerate(now.cards) if card is target)


def _show_one(options: argparse.Namespace, now: State) -> None:
    _show(options, [find(now, options.npu)], now)


def _show(options: argparse.Namespace, cards: Sequence[CardState], now: State) -> None:
    for card in cards:
        words = [f"fault {fault}{_note(options.dir, fault)}" for fault in card.faults]
        words += [f"in use {hold.suffix}" for hold in card.holds]
        words += ["driver unloaded"] if card.card.family in now.unloaded else []
        words = words if card.present else ["removed"]
        facts = card.card
        print(f"{facts.name} {facts.family} {facts.uuid or '-'} {facts.pci_bdf}: {', '.join(words) or 'idle'}")


def _note(folder: str, fault: Fault) -> str:
    root = KIND[fault.name].through
    return f" (shows through a mount of DIR/{root} alone)" if root is not None and not is_mounted(folder, root) else ""


def _complain(error: object, code: int) -> int:
    print(f"furiosa-npu-simulator: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
