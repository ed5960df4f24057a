"""A cluster by hand: `python -m tests.cluster up` starts one that stays, `down` ends all such, `list` names them."""

import sys

from tests.cluster import runs
from tests.cluster.cluster import Cluster

_USAGE = "usage: python -m tests.cluster up|down|list"


def main(argv: list[str]) -> int:
    if argv == ["up"]:
        cluster = Cluster(outlives_us=True)
        print(cluster.run.folder / "kubectl")
        return 0
    if argv == ["down"]:
        for folder in runs.living():
            runs.end(folder)
            print(f"ended {folder.name}")
        return 0
    if argv == ["list"]:
        for folder in runs.living():
            print(folder / "kubectl")
        return 0
    print(_USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
