"""`furiosa-npu-plugin status`: asks the plugin of this container, or of this machine, for its page /status."""

import http.client
import sys

from furiosa_npu.agent.address import Address
from furiosa_npu.device_plugin.settings import PROGRAM

_TIMEOUT_SECONDS = 5.0


def status(address: Address | None) -> int:
    """Exit code: 0 and the cards on standard output, or 1 and why not on standard error."""
    if address is None or address.port == 0:
        return _failed("--listen-address: found none, expected where the plugin serves /status, e.g. 127.0.0.1:6255")
    host = address.host or "localhost"
    client = http.client.HTTPConnection(host, address.port, timeout=_TIMEOUT_SECONDS)
    try:
        client.request("GET", "/status")
        answer = client.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return _failed(f"{host}:{address.port}: {error}: does the plugin run here, with this --listen-address?")
    finally:
        client.close()
    if answer.status != 200:
        return _failed(f"{host}:{address.port}/status: found {answer.status} {text.strip()[:200]}, expected 200")
    sys.stdout.write(text)
    return 0


def _failed(message: str) -> int:
    sys.stderr.write(f"{PROGRAM.name} status: {message}\n")
    return 1
