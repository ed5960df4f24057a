"""Where the API server is and how we prove who we are; from a pod's own service account. The child's part."""

from collections.abc import Mapping
from typing import NamedTuple


class AccessError(Exception):
    """The API server was not asked: what was read, what was found, what was expected."""


class Secret(NamedTuple):
    """A PEM text or a token: in a file, which is read at the last moment, or given in the kubeconfig itself."""

    where: str
    """for errors: the file's path, or kubeconfig and key"""
    path: str | None
    data: bytes | None

    def read(self) -> bytes:
        """Raises AccessError."""
        if self.data is not None:
            return self.data
        try:
            with open(self.path or "", "rb") as file:
                return file.read(1 << 20)
        except OSError as error:
            raise AccessError(f"{self.where}: found {error.strerror}, expected a readable file") from None


class Connection(NamedTuple):
    """Everything that one request needs to know about the API server."""

    server: str
    """URL, perhaps with a path that stands before each request's own"""
    ca: Secret | None
    """None: the system's certificate authorities"""
    token: Secret | None
    certificate: Secret | None
    key: Secret | None
    verify: bool = True
    """False: whoever answers is believed (kubeconfig's insecure-skip-tls-verify)"""
    server_name: str | None = None
    """the name in the server's certificate, where it is not the URL's"""


def in_cluster(environment: Mapping[str, str], folder: str) -> Connection:
    """A pod's way: the service's address from the environment, token and CA from the kubelet's `folder`.

    Raises AccessError where this is no pod.
    """
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise AccessError(
            "environment variable KUBERNETES_SERVICE_HOST: found nothing, expected the API server's address as in a "
            "pod; outside a cluster --kubeconfig FILE says how to reach it"
        )
    bracketed = f"[{host}]" if ":" in host else host
    ca, token = f"{folder}/ca.crt", f"{folder}/token"
    return Connection(f"https://{bracketed}:{port}", Secret(ca, ca, None), Secret(token, token, None), None, None)
