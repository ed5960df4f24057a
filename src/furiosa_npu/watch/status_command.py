"""`furiosa-npu-plugin status` and its like: asks the agent of this container, or of this machine, for `/status`."""

import http.client
import sys

from furiosa_npu.agent.address import Address

_TIMEOUT_SECONDS = 5.0


def status(program: str, address: Address | None) -> int:
    """Exit code: 0 and the cards on standard output, or 1 and why not on standard error."""
    if address is None or address.port == 0:
        return _failed(
            program, "--listen-address: found none, expected where the agent serves /status, e.g. 127.0.0.1:6255"
        )
    host = address.host or "localhost"
    client = http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT_SECONDS)
    try:
        client.request("GET", "/status")
        answer = client.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return _failed(program, f"{host}:{address.port}: {error}: does the agent run here, with this --listen-address?")
    finally:
        client.close()
    if answer.status != 200:
        return _failed(
            program, f"{host}:{address.port}/status: found {answer.status} {text.strip()[:200]}, expected 200"
        )
    sys.stdout.write(text)
    return 0


def _failed(program: str, message: str) -> int:
    sys.stderr.write(f"{program} status: {message}\n")
    return 1
