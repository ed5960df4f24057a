"""What imports cost: `python -m benchmarks.imports [--onto MODULE[,MODULE...]] MODULE[,MODULE...]...`, a row each.

Resident memory of an interpreter (`-I -OO`, bytecode warm) after an import, and how much more that is than before it:
than a bare interpreter has, or one that has imported what `--onto` names. `!ssl` stands for an `ssl` that cannot be
imported. docs/dependencies.md quotes it.
"""

import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

from benchmarks.process_figures import parse_sizes

RUNS = 5


class Resident(NamedTuple):
    """In KiB."""

    rss: int
    rss_anon: int


_PRINT_STATUS = "print(open('/proc/self/status').read())"


def main(arguments: list[str]) -> int:
    """Exit status 1 where a module cannot be imported, 2 for wrong use."""
    onto = ""
    if arguments[:1] == ["--onto"] and len(arguments) > 1:
        onto, arguments = arguments[1], arguments[2:]
    if not arguments:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    print("| import | RSS, MiB | more, MiB | of it anonymous, MiB |\n|---|---:|---:|---:|")
    try:
        with tempfile.TemporaryDirectory() as bytecode:
            before = _memory(onto, bytecode)
            print(f"| {onto.replace(',', ', ') or 'none'} | {before.rss / 1024:.1f} | | |")
            for modules in arguments:
                after = _memory(f"{onto},{modules}" if onto else modules, bytecode)
                more, anonymous = after.rss - before.rss, after.rss_anon - before.rss_anon
                shown = f"{'and ' if onto else ''}{modules.replace(',', ', ')}"
                print(f"| {shown} | {after.rss / 1024:.1f} | {more / 1024:.1f} | {anonymous / 1024:.1f} |", flush=True)
    except subprocess.CalledProcessError as error:
        print(f"benchmarks.imports: {error.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    return 0


def _memory(modules: str, bytecode: str) -> Resident:
    """Medians; one start more fills the bytecode's folder."""
    program = "\n".join(["import sys", *map(_statement, filter(None, modules.split(","))), _PRINT_STATUS])
    words = [sys.executable, "-I", "-OO", "-X", f"pycache_prefix={bytecode}", "-c", program]
    told = [
        parse_sizes(subprocess.run(words, capture_output=True, text=True, check=True).stdout) for _ in range(1 + RUNS)
    ]
    rss, anonymous = (round(statistics.median(sizes[name] for sizes in told[1:])) for name in ("VmRSS", "RssAnon"))
    return Resident(rss, anonymous)


def _statement(module: str) -> str:
    return f"sys.modules[{module[1:]!r}] = None" if module.startswith("!") else f"import {module}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
