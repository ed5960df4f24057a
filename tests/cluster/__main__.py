"""A cluster by hand: `python -m tests.cluster up`.

up             three nodes that stay; prints the kubectl to use
up --product   and simulated NPUs on two of them, the shipped image and the shipped manifests
list           the kubectl of each cluster that is up
down           ends them all
"""

import argparse
import sys

from tests.cluster import runs
from tests.cluster.cluster import Cluster
from tests.cluster.command_line import add_kubernetes_options, kubernetes_of
from tests.cluster.product import Product, load_image
from tests.cluster.releases import KUBERNETES_1_37


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Ends the process where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("up", "list", "down"))
    parser.add_argument("--product", action="store_true")
    add_kubernetes_options(parser, KUBERNETES_1_37)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = options_of(arguments)
    match options.command:
        case "up":
            _up(options)
        case "list":
            for folder in runs.living():
                print(folder / "kubectl")
        case "down":
            for folder in runs.living():
                runs.end(folder)
                print(f"ended {folder.name}")
    return 0


def _up(options: argparse.Namespace) -> None:
    cluster = Cluster(*kubernetes_of(options), outlives_us=True)
    print(cluster.run.folder / "kubectl", flush=True)
    if options.product:
        load_image(cluster)
        Product(cluster)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
