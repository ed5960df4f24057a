"""What has to be there before a checkout's own programs run: Debian's packages, the virtual environment."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from scripts.checks import machine
from scripts.checks.environment import NoEnvironment, variables, virtual_environment

CHECKOUT = Path(__file__).parents[2]


class CannotRun(Exception):
    """What needs root and Debian 12 cannot run here; the message says why."""


class Prepared(NamedTuple):
    programs: Path
    """the folder of the virtual environment's programs"""
    environment: dict[str, str]
    """for what is run with them"""


def prepare(packages: Iterable[str]) -> Prepared:
    """Installs what is missing, where this is root's; an ordinary user's machine has to have it.

    Raises machine.NoPackages, environment.NoEnvironment.
    """
    lacking = machine.missing(packages)
    if not machine.can_make_venvs(sys.executable):
        lacking.append("python3-venv")
    if lacking and os.geteuid() != 0:
        raise machine.NoPackages(f"missing: {' '.join(lacking)}; run 'apt-get install {' '.join(lacking)}' as root")
    if lacking:
        wanted = machine.to_install(lacking)
        print(f"== set-up: installing {' '.join(wanted)}", flush=True)
        machine.install(wanted)
    cache = machine.cache_folder()
    place = virtual_environment(CHECKOUT, cache)
    return Prepared(place / "bin", variables(place, cache))


def prepare_as_root(packages: Iterable[str]) -> Prepared:
    """For what only root on Debian 12 can run. Raises CannotRun."""
    why_not = machine.why_no_root_stages()
    if why_not is not None:
        raise CannotRun(why_not)
    try:
        return prepare(packages)
    except (machine.NoPackages, NoEnvironment) as problem:
        raise CannotRun(str(problem)) from problem
