"""The child program: one request on stdin, one answer on stdout, and all memory is given back.

    {"method": "GET", "path": "/version", "kubeconfig": null, ...}  ->  {"status": 200, "body": {...}}
                                                                    or  {"error": "what went wrong and whose fault"}

Started as `python -I -m furiosa_npu.cluster.request`. It reads token and CA anew each time, since the kubelet renews
the token under our feet; the agent that started it holds no credentials and no TLS.
"""

import json
import os
import signal
import sys

from furiosa_npu.cluster.api import Access, ApiRequest
from furiosa_npu.cluster.connection import AccessError, Connection, in_cluster
from furiosa_npu.cluster.kubeconfig import parse_kubeconfig
from furiosa_npu.cluster.transport import send


def main() -> int:
    """Exit code 0 whenever an answer was written."""
    question = json.load(sys.stdin)
    access = Access(**question.pop("access"))
    signal.alarm(int(access.timeout_seconds * 4) + 1)  # whatever hangs, a child whose parent died ends too
    answer: dict[str, object]
    try:
        status, body = send(_connection(access), ApiRequest(**question), access.timeout_seconds)
        answer = {"status": status, "body": body}
    except AccessError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer, separators=(",", ":")))
    return 0


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
