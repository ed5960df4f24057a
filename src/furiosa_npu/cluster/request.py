"""The child program: requests on stdin, a line for each answer on stdout, and all memory is given back.

    {"access": {...}, "requests": [{"method": "GET", "path": "/version", ...}, ...]}
    ->  {"status": 200, "body": {...}}
    or  {"error": "what went wrong and whose fault"}

All go over one connection, in their order; an answer is written as soon as it is there. After an error nothing more is
sent: the API server is away, and the rest would wait for it one after the other.

Started as `python -I -m furiosa_npu.cluster.request`. It reads token and CA anew each time, since the kubelet renews
the token under our feet; the agent that started it holds no credentials and no TLS.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from furiosa_npu.cluster.api import Access, Answer, ApiRequest
from furiosa_npu.cluster.connection import AccessError, Connection, in_cluster
from furiosa_npu.cluster.kubeconfig import parse_kubeconfig
from furiosa_npu.cluster.transport import Conversation


def main() -> int:
    """Exit code 0 whenever an answer was written."""
    question = json.load(sys.stdin)
    access = Access(**question["access"])
    signal.alarm(int(access.timeout_seconds * 4) + 1)  # whatever hangs, a child whose parent died ends too
    for answer in answers(access, (ApiRequest(**request) for request in question["requests"])):
        _write(answer)
    return 0


def answers(access: Access, requests: Iterable[ApiRequest]) -> Iterator[Answer]:
    """One a request, each as soon as it is there; an error is the last."""
    try:
        with closing(Conversation(_connection(access), access.timeout_seconds)) as conversation:
            for request in requests:
                status, body = conversation.ask(request)
                yield Answer(status, part(body, request.only) if 200 <= status < 300 else body, None)
    except AccessError as error:
        yield Answer(None, None, str(error))


def part(body: object, keys: Sequence[str]) -> object:
    """What the keys lead to; None where they lead nowhere."""
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _write(answer: Answer) -> None:
    told = {"error": answer.error} if answer.error is not None else {"status": answer.status, "body": answer.body}
    sys.stdout.write(json.dumps(told, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _connection(access: Access) -> Connection:
    if access.kubeconfig is None:
        return in_cluster(os.environ, access.service_account)
    try:
        with open(access.kubeconfig, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "bytes that are no UTF-8"
        raise AccessError(f"{access.kubeconfig}: found {reason}, expected a readable kubeconfig") from None
    return parse_kubeconfig(text, access.kubeconfig)


if __name__ == "__main__":
    raise SystemExit(main())
