"""`furiosa-npu-cdi generate`: the CDI specification of this host's cards, on standard output or in a file."""

import os
import sys
from collections.abc import Mapping

from furiosa_npu.agent.settings import load, wrong_use
from furiosa_npu.allocation.cdi_devices import KIND, node_devices
from furiosa_npu.allocation.identity import identify
from furiosa_npu.cdi import spec_file
from furiosa_npu.cdi.names import file_name
from furiosa_npu.cdi.specification import SpecificationError, to_text
from furiosa_npu.cdi_command.settings import PROGRAM, Settings
from furiosa_npu.hardware.cards import read_cards
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.linux.atomic_file import remove_begun


class NoSpecification(Exception):
    """None can be made, or put where it is wanted: what was looked at, what was found, what was expected."""


def main() -> int:
    return run(tuple(sys.argv[1:]), os.environ)


def run(arguments: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Exit code: 0 done, 1 failed at work; 2 (wrong use) is raised."""
    invocation = load(PROGRAM, Settings, arguments, environment)
    settings = invocation.settings
    if invocation.subcommand is None:
        wrong_use(PROGRAM, "found no subcommand, expected generate (--help says more)")
    for name in ("cdi_dir", "output"):
        if getattr(settings, name) is None and invocation.origins[name] == "command line":
            wrong_use(PROGRAM, f"--{name.replace('_', '-')}: found an empty text, expected a path")
    if settings.cdi_dir is not None and settings.output is not None:
        wrong_use(PROGRAM, "found --cdi-dir and --output, expected one of them")
    path = settings.output if settings.cdi_dir is None else f"{settings.cdi_dir}/{file_name(KIND)}"
    # Runtimes take absolute paths alone.
    roots = Roots(os.path.abspath(settings.devfs_root), os.path.abspath(settings.sysfs_root))
    furiosactl = None if settings.furiosactl is None else os.path.abspath(settings.furiosactl)
    try:
        text, left_out = specification(roots, furiosactl)
        _put(path, text)
    except (NoSpecification, SpecificationError, spec_file.SpecFileError) as error:
        return _complain(str(error))
    except OSError as error:
        return _complain(f"standard output: {error.strerror}")
    for reason in left_out:
        sys.stderr.write(f"{PROGRAM.name}: left out: {reason}\n")
    return 0


def specification(roots: Roots, furiosactl: str | None) -> tuple[str, tuple[str, ...]]:
    """The file's text, and why cards of this host are not in it. Raises NoSpecification and SpecificationError."""
    if furiosactl is not None and not (os.path.isfile(furiosactl) and os.access(furiosactl, os.X_OK)):
        raise NoSpecification(f"{furiosactl}: found no program, expected the static furiosactl for containers")
    found = node_devices(identify(read_cards(roots), {}), roots, furiosactl)
    reasons = tuple(found.left_out.values())
    if found.specification is None:
        seen = "; ".join(reasons) or "none"
        raise NoSpecification(f"NPUs below {roots.devfs} and {roots.sysfs}: found {seen}, expected one at least")
    return to_text(found.specification), reasons


def _put(path: str | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    elif os.path.exists(path) and not os.path.isfile(path):
        raise NoSpecification(f"{path}: found no regular file, expected one to replace, or none")
    else:
        remove_begun(path)
        if spec_file.read(path) != text:
            spec_file.write(path, text)


def _complain(message: str) -> int:
    sys.stderr.write(f"{PROGRAM.name}: {message}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
