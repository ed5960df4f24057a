"""scripts/bench scale: what a thousand nodes' agents ask of one API server.

    scripts/bench scale [--nodes N]

Starts etcd and the API server of the newest Kubernetes with objects for N nodes (1000), and, in one process, the parts
of all their agents that talk to the API server: the labeller's labels, events and condition of who hands out the cards,
the DRA driver's slices. Prints requests per second, as the API server's audit log has them: when all start at once, in
peace, while 1 % of the cards change state each minute, after the API server was killed, and after a power cut, with
jitter and without. Exit status 0 when all was measured.

Needs root and Debian 12: installs by apt what is missing, builds Kubernetes from Go modules once (it stays in the
cache), and takes eighteen minutes on two processors.
"""

import os
import sys

from scripts.checks.preparation import CannotRun, prepare_as_root

PACKAGES = ("ca-certificates", "golang-1.19-go", "iproute2", "libfaketime", "openssl")
NODES = 1000
ALONE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
WITH_LOOPBACK = 'ip link set lo up && exec "$@"'


def main(argv: list[str]) -> int:
    if argv in (["-h"], ["--help"]):
        print((__doc__ or "").strip())
        return 0
    count = nodes(argv)
    if count is None:
        found = " ".join(argv)
        print(f"scripts/bench scale: found {found!r}, expected nothing, --nodes N or --help", file=sys.stderr)
        return 2
    try:
        prepared = prepare_as_root(PACKAGES)
    except CannotRun as why_not:
        print(f"scripts/bench scale: {why_not}", file=sys.stderr)
        return 1
    words = [*ALONE, "sh", "-c", WITH_LOOPBACK, "sh", str(prepared.programs / "python")]
    os.execvpe(words[0], [*words, "-m", "benchmarks.scale", str(count)], prepared.environment)  # noqa: S606  # ours
    return 1


def nodes(argv: list[str]) -> int | None:
    """What the arguments ask for; None where they cannot be meant."""
    if not argv:
        return NODES
    if len(argv) != 2 or argv[0] != "--nodes" or not (argv[1].isascii() and argv[1].isdigit()):
        return None
    return int(argv[1]) or None
