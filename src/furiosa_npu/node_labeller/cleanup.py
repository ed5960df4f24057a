"""`furiosa-npu-labeller cleanup`: both labels go from the node, once, and it is said what was done."""

import select
from typing import NamedTuple

from furiosa_npu.cluster.api import Access, Answer, ApiRequest, complaint
from furiosa_npu.cluster.child import Call
from furiosa_npu.cluster.node import get_node, labels_of, patch_node_labels
from furiosa_npu.node_labeller.labels import LABELS


class Cleanup(NamedTuple):
    """What became of it: one of the two is None."""

    report: str | None
    failure: str | None


def cleanup(node: str, access: Access) -> Cleanup:
    """Neither label is on the node then, or it is said why not. A labeller that still runs would not notice."""
    request = get_node(node)
    answer = ask_and_wait(access, request)
    failure = complaint(request, answer)
    if failure is None:
        try:
            labels = labels_of(answer.body)
        except ValueError as error:
            failure = str(error)
    if failure is None:
        there = [name for name in LABELS if name in labels]
        if not there:
            return Cleanup(f"node {node} has neither {' nor '.join(LABELS)}: nothing to remove", None)
        request = patch_node_labels(node, dict.fromkeys(there))
        failure = complaint(request, ask_and_wait(access, request))
    if failure is not None:
        return Cleanup(None, f"labels not removed from node {node}: {failure}")
    return Cleanup("\n".join(f"removed {name}={labels[name]} from node {node}" for name in there), None)


def ask_and_wait(access: Access, request: ApiRequest) -> Answer:
    """The answer, or that none came in time."""
    try:
        call = Call(access, (request,))
    except OSError as error:
        return Answer(None, None, f"no child process for the API server: {error.strerror or error}")
    waiting = select.poll()
    waiting.register(call.fileno(), select.POLLIN)
    answers = None
    while answers is None:
        answers = call.receive() if waiting.poll(3000 * access.timeout_seconds) else call.abandon()
    return answers[0]
