"""`furiosa-npu-labeller cleanup`: the labels go, once, and it is said what was done."""

from collections.abc import Callable
from typing import NamedTuple

from furiosa_npu.cluster.api import Answer, ApiRequest
from furiosa_npu.cluster.blocking import wait_for
from furiosa_npu.cluster.child import Call
from furiosa_npu.node_labeller.board import Board
from furiosa_npu.node_labeller.labels import LABELS


class Cleanup(NamedTuple):
    """What became of it: one of the two is None."""

    report: str | None
    failure: str | None


def cleanup(board: Board, ask: Callable[[ApiRequest], Answer]) -> Cleanup:
    """Neither the two labels nor another that the labeller wrote is there then, or it is said why not. A labeller that
    still runs would not notice.
    """
    try:
        request = board.read()
        standing = board.standing(request, ask(request))
        labels = standing.labels
        there = [name for name in (*LABELS, *sorted(standing.own - {*LABELS})) if name in labels]
        if not there:
            return Cleanup(f"{board.where} has neither {' nor '.join(LABELS)}: nothing to remove", None)
        request = board.write(dict.fromkeys(there), standing)
        board.standing(request, ask(request))
    except ValueError as error:
        return Cleanup(None, f"labels not removed from {board.where}: {error}")
    return Cleanup("\n".join(f"removed {name}={labels[name]} from {board.where}" for name in there), None)


def in_time(send: Callable[[ApiRequest], Call | Answer], request: ApiRequest) -> Answer:
    """The answer, or that none came in time."""
    try:
        call = send(request)
    except OSError as error:
        return Answer(None, None, f"no child process for the API server: {error.strerror or error}")
    return call if isinstance(call, Answer) else wait_for(call)[0]
