"""A cluster by hand: `python -m tests.cluster up`.

up             three nodes that stay; prints the kubectl to use
up --product   and simulated NPUs on two of them, the shipped image and the shipped manifests
list           the kubectl of each cluster that is up
down           ends them all
"""

import sys

from tests.cluster import runs
from tests.cluster.cluster import Cluster
from tests.cluster.product import Product, load_image


def main(argv: list[str]) -> int:
    match argv:
        case ["up"]:
            _up()
        case ["up", "--product"]:
            cluster = _up()
            load_image(cluster)
            Product(cluster)
        case ["list"]:
            for folder in runs.living():
                print(folder / "kubectl")
        case ["down"]:
            for folder in runs.living():
                runs.end(folder)
                print(f"ended {folder.name}")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def _up() -> Cluster:
    cluster = Cluster(outlives_us=True)
    print(cluster.run.folder / "kubectl", flush=True)
    return cluster


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
