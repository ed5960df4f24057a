"""scripts/bench: what the agents cost on a node and how fast they are, beside Kubernetes' own sample device plugin.

    scripts/bench [--idle-minutes N]

Measures side by side, with eight simulated Warboys that live and a kubelet that speaks the real protocol: our device
plugin as pip leaves it and as in the image, the sample plugin of Kubernetes 1.20.2 and of the newest Kubernetes, and
the node labeller. Memory, processor time, wake-ups and API requests in N idle minutes (1; 10 shows that nothing is
written in ten), start to Register, Allocate, a kubelet that comes back, a card that fails. Prints one table, each
figure with its bound and whether it is reached. Exit status 0 when all was measured.

Needs root and Debian 12: installs by apt what is missing, builds the sample plugins from Debian's source of Kubernetes
1.20.2 and from Go modules (three minutes, once: they stay in the cache), and takes three minutes and N more. Run it on
a machine that is otherwise quiet.
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
    if argv in (["-h"], ["--help"]):
        print((__doc__ or "").strip())
        return 0
    minutes = idle_minutes(argv)
    if minutes is None:
        found = " ".join(argv)
        print(f"scripts/bench: found {found!r}, expected nothing, --idle-minutes N or --help", file=sys.stderr)
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
    os.execvpe(words[0], [*words, "-m", "benchmarks", str(minutes)], prepared.environment)  # noqa: S606  # ours
    return 1


def idle_minutes(argv: list[str]) -> int | None:
    """What the arguments ask for; None where they cannot be meant."""
    if not argv:
        return 1
    if len(argv) != 2 or argv[0] != "--idle-minutes" or not (argv[1].isascii() and argv[1].isdigit()):
        return None
    return int(argv[1]) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
