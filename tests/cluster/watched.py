"""A node as a watch tells of it: every state that it had, not the last alone."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.cluster import Cluster


@contextmanager
def watched_node(cluster: Cluster, node: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Gives a function for the node objects so far, one after the other, from the one at the beginning on."""
    path = cluster.run.logs / "node-watched.json"
    kubectl = str(cluster.run.folder / "kubectl")
    with path.open("w") as output:
        watch = subprocess.Popen([kubectl, "get", "node", node, "--watch", "--output=json"], stdout=output)
    try:
        cluster.wait("the watch to begin", lambda: path.stat().st_size > 0)
        yield lambda: list(_objects_in(path.read_text()))
    finally:
        watch.terminate()
        watch.wait()


def _objects_in(stream: str) -> Iterator[dict[str, Any]]:
    """Each object in a stream of JSON objects; the last may be cut short."""
    decoder = json.JSONDecoder()
    while stream := stream.lstrip():
        try:
            found, end = decoder.raw_decode(stream)
        except json.JSONDecodeError:
            return
        yield found
        stream = stream[end:]
