"""Objects as a watch tells of them: every state that they had, not the last alone, and when."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

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


class Told(NamedTuple):
    """One event of a watch."""

    at: float
    """when it came here, in seconds since 1970"""
    object: dict[str, Any]


@contextmanager
def watched(cluster: Cluster, path: str) -> Iterator[Callable[[], list[Told]]]:
    """Gives a function for what was told so far of the objects of a list, by its path at the API server; of those that
    were there first, too.
    """
    told: list[Told] = []
    words = [str(cluster.run.folder / "kubectl"), "get", f"--raw={path}?watch=true"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as watch:

        def listen() -> None:
            whole = (line for line in watch.stdout or () if line.endswith(b"\n"))  # the last may be cut short
            told.extend(Told(time.time(), json.loads(line)["object"]) for line in whole)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield lambda: list(told)
        finally:
            watch.terminate()
            listener.join()


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
