"""HTTPS to the API server with the standard library, and whose fault it is when that fails. Child only.

`http.client` takes 18 MiB at peak and 30 ms where urllib3 takes 22-25 MiB and 60 ms (imports alone, `-I -OO`). Proxies
of the environment are not used: a pod reaches its API server directly, HTTPS_PROXY is meant for the world outside.
"""

import http.client
import json
import os
import socket
import ssl
import urllib.parse

from furiosa_npu.cluster.api import MANAGER, ApiRequest
from furiosa_npu.cluster.connection import AccessError, Connection, Secret

MAXIMUM_ANSWER_BYTES = 16 << 20


class Conversation:
    """Requests over one connection, made at the first; made anew where the server closed it after an answer."""

    def __init__(self, connection: Connection, timeout_seconds: float) -> None:
        """Raises AccessError where the address is no URL. `timeout_seconds` is for each step of each request."""
        self._connection = connection
        self._timeout_seconds = timeout_seconds
        try:
            url = urllib.parse.urlsplit(connection.server)
            self._host, self._port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
        except ValueError as error:
            raise AccessError(f"the API server's address '{connection.server}': {error}, expected a URL") from None
        self._secured, self._prefix = url.scheme == "https", url.path
        self._client = http.client.HTTPConnection(self._host, self._port)
        self._client.auto_open = 0  # by itself it would connect without TLS
        self._authorization: dict[str, str] = {}

    def ask(self, request: ApiRequest) -> tuple[int, object]:
        """Status and JSON (text where it is none) of the answer. Raises AccessError."""
        server = self._connection.server
        if self._client.sock is None:
            self._connect()
        headers = {"Accept": request.accept, "User-Agent": MANAGER} | self._authorization
        if request.content_type:
            headers["Content-Type"] = request.content_type
        body = request.body.encode() if request.body is not None else None
        try:
            self._client.request(request.method, self._prefix + request.path, body, headers)
            response = self._client.getresponse()
            content = response.read(MAXIMUM_ANSWER_BYTES + 1)
        except TimeoutError:
            limit = f"{self._timeout_seconds:g} s"
            raise AccessError(f"{server}: no answer within {limit} from the API server") from None
        except (OSError, http.client.HTTPException) as error:
            raise AccessError(f"{server}: the API server broke off ({error or type(error).__name__})") from None
        if len(content) > MAXIMUM_ANSWER_BYTES:
            raise AccessError(f"{server}: the answer is longer than {MAXIMUM_ANSWER_BYTES} bytes")
        try:
            return response.status, json.loads(content)
        except ValueError:
            return response.status, content[:1000].decode("utf-8", "replace")

    def close(self) -> None:
        """The connection, if there is one."""
        self._client.close()

    def _connect(self) -> None:
        if self._connection.token is not None:
            self._authorization = {"Authorization": f"Bearer {_token(self._connection.token)}"}
        self._client.sock = _connected(
            self._connection, self._host, self._port, self._timeout_seconds, secured=self._secured
        )


def _connected(connection: Connection, host: str, port: int, timeout_seconds: float, *, secured: bool) -> socket.socket:
    context = _tls(connection) if secured else None
    try:
        peer = socket.create_connection((host, port), timeout_seconds)
    except OSError as error:
        reason = "timed out" if isinstance(error, TimeoutError) else error.strerror or error
        raise AccessError(f"{connection.server}: cannot connect ({reason}): is the API server away?") from None
    if context is None:
        return peer
    try:
        return context.wrap_socket(peer, server_hostname=connection.server_name or host)
    except ssl.SSLCertVerificationError as error:
        peer.close()
        authority = connection.ca.where if connection.ca else "the system's certificate authorities"
        raise AccessError(
            f"{connection.server}: its certificate does not stand the test ({error.verify_message}) against {authority}"
        ) from None
    except OSError as error:
        peer.close()
        raise AccessError(f"{connection.server}: no TLS with the API server ({error})") from None


def _tls(connection: Connection) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if connection.ca is None:
        context.load_default_certs()
    else:
        authority = connection.ca.read()
        try:
            context.load_verify_locations(cadata=authority.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as error:
            raise AccessError(f"{connection.ca.where}: found no certificate ({error}), expected PEM") from None
    if not connection.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if connection.certificate is not None:
        _load_client_certificate(context, connection.certificate, connection.key)
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: Secret, key: Secret | None) -> None:
    """OpenSSL takes files alone; data of a kubeconfig goes there through memory, not through a disk."""
    pem = certificate.read() + b"\n" + (key.read() if key is not None else b"")
    number = os.memfd_create("client-certificate")
    try:
        os.write(number, pem)
        context.load_cert_chain(f"/proc/self/fd/{number}", password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        key_where = f" with {key.where}" if key is not None else ""
        raise AccessError(
            f"{certificate.where}{key_where}: found no certificate with its key ({error}), expected PEM"
        ) from None
    finally:
        os.close(number)


def _no_password() -> str:
    """An encrypted key is refused; OpenSSL would ask on the terminal."""
    raise ValueError("the key is encrypted")


def _token(secret: Secret) -> str:
    token = secret.read().decode("ascii", "replace").strip()
    if not token or not token.isprintable() or not token.isascii() or " " in token:
        found = "nothing" if not token else "other characters than a token has"
        raise AccessError(f"{secret.where}: found {found}, expected a bearer token")
    return token
