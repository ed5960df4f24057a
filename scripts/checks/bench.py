"""scripts/bench: what the agents cost on a node, beside Kubernetes' own sample device plugin.

Measures side by side, with eight simulated Warboys and a kubelet that speaks the real protocol: memory at rest, time
from start to Register (median and least of nine starts in turn), processor time and wake-ups in half a minute of
idleness; and the labeller at rest. Prints one table.

Needs root and Debian 12: installs by apt what is missing, builds the sample plugin from Debian's source of Kubernetes
1.20.2 (two minutes, once: it stays in the cache), and takes two minutes more. Run it on a machine that is
otherwise quiet.
"""

import os
import sys

from scripts.checks import machine
from scripts.checks.environment import NoEnvironment
from scripts.checks.preparation import prepare

KUBELETS_FOLDER = "/var/lib/kubelet"
"""which the sample plugin has fixed in its code: the benchmark sees an empty one of its own there"""
PACKAGES = ("ca-certificates", "golang-1.19-go")
IN_A_FOLDER_OF_ITS_OWN = f'mount -t tmpfs none {KUBELETS_FOLDER} && exec "$@"'


def main(argv: list[str]) -> int:
    if argv:
        if argv in (["-h"], ["--help"]):
            print((__doc__ or "").strip())
            return 0
        print(f"scripts/bench: found {' '.join(argv)!r}, expected nothing or --help", file=sys.stderr)
        return 2
    why_not = machine.why_no_root_stages()
    if why_not is not None:
        print(f"scripts/bench: {why_not}", file=sys.stderr)
        return 1
    try:
        prepared = prepare(PACKAGES)
    except (machine.NoPackages, NoEnvironment) as problem:
        print(f"scripts/bench: {problem}", file=sys.stderr)
        return 1
    os.makedirs(KUBELETS_FOLDER, exist_ok=True)
    words = ["unshare", "--mount", "sh", "-c", IN_A_FOLDER_OF_ITS_OWN, "sh", str(prepared.programs / "python")]
    os.execvpe(words[0], [*words, "-m", "benchmarks"], prepared.environment)  # noqa: S606  # our own words
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
