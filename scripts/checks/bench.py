"""scripts/bench: what the agents cost on a node and how fast they are, beside Kubernetes' own sample device plugin.

    scripts/bench [--idle-minutes N]
    scripts/bench peers
    scripts/bench scale ...              a thousand nodes and one API server: scripts/bench scale --help

Without `peers`: side by side, with eight simulated Warboys that live and a kubelet that speaks the real protocol, our
device plugin as pip leaves it and as in the image, the sample plugin of Kubernetes 1.20.2 and of the newest Kubernetes,
and the node labeller. Memory, processor time, wake-ups and API requests in N idle minutes (1; 10 shows that nothing is
written in ten), start to Register, Allocate, a kubelet that comes back, a card that fails. Prints one table, each
figure with its bound and whether it is reached. Exit status 0 when all was measured.

`peers`: the memory at rest of our agents beside Go programs that do the same jobs, all against a real API server:
plugin and labeller, which serve metrics too, beside the sample device plugin, Node Feature Discovery's worker and
node_exporter; then the DRA driver beside dra-example-driver. Ours shall take half at most. And the size of our image
beside theirs, made here of what their own Dockerfiles install.

Needs root and Debian 12: installs by apt what is missing, builds the Go programs from Debian's source of Kubernetes
1.20.2 and from Go modules (three minutes; with `peers`, which builds our image too, half an hour; once: they stay in
the cache), and takes three minutes and N more, with `peers` four. Run it on a machine that is otherwise quiet.
"""

import os
import sys

from scripts.checks import bench_scale
from scripts.checks.preparation import CannotRun, prepare_as_root

KUBELETS_FOLDER = "/var/lib/kubelet"
"""which the sample plugin has fixed in its code: the benchmark sees an empty one of its own there"""
PACKAGES = ("ca-certificates", "golang-1.19-go", "libfaketime", "openssl")
PEERS_PACKAGES = (*PACKAGES, "buildah", "debian-archive-keyring", "debootstrap")
"""with what images are made of"""
IN_A_FOLDER_OF_ITS_OWN = f'mount -t tmpfs none {KUBELETS_FOLDER} && exec "$@"'


def main(argv: list[str]) -> int:
    if argv in (["-h"], ["--help"]):
        print((__doc__ or "").strip())
        return 0
    if argv[:1] == ["scale"]:
        return bench_scale.main(argv[1:])
    module = asked(argv)
    if module is None:
        found = " ".join(argv)
        print(
            f"scripts/bench: found {found!r}, expected nothing, --idle-minutes N, peers, scale or --help",
            file=sys.stderr,
        )
        return 2
    try:
        prepared = prepare_as_root(PEERS_PACKAGES if argv == ["peers"] else PACKAGES)
    except CannotRun as why_not:
        print(f"scripts/bench: {why_not}", file=sys.stderr)
        return 1
    os.makedirs(KUBELETS_FOLDER, exist_ok=True)
    words = ["unshare", "--mount", "sh", "-c", IN_A_FOLDER_OF_ITS_OWN, "sh", str(prepared.programs / "python")]
    os.execvpe(words[0], [*words, "-m", *module], prepared.environment)  # noqa: S606  # ours
    return 1


def asked(argv: list[str]) -> tuple[str, ...] | None:
    """The module that the arguments ask for, and its own arguments; None where they cannot be meant."""
    match argv:
        case []:
            return ("benchmarks", "1")
        case ["peers"]:
            return ("benchmarks.peers",)
        case ["--idle-minutes", minutes] if minutes.isascii() and minutes.isdigit() and int(minutes) > 0:
            return ("benchmarks", minutes)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
