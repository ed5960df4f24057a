"""Commands of the documents, typed as they stand there: by a shell, in the repository, to a cluster."""

import os
import re

from tests.cluster.cluster import Cluster
from tests.cluster.commands import run
from tests.cluster.product import REPOSITORY


def typed(cluster: Cluster, command: str, **meant: str) -> str:
    """What it prints. `meant`: what the documents' placeholders (NODE, POD, REVISION) stand for.

    Raises CommandFailed.
    """
    for placeholder, value in meant.items():
        command = re.sub(rf"\b{placeholder}\b", value, command)
    path = f"{cluster.run.folder}:{os.environ['PATH']}"
    return run(["sh", "-euc", command], folder=REPOSITORY, environment={"PATH": path})
