"""A small API server on loopback that keeps nodes' labels and checks each request as a real one would."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

TLS = Path(__file__).parent / "tls"

TOKEN = "token-of-the-labeller"


class Seen(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    content_type: str | None
    accept: str | None
    body: object


class ApiServer:
    """Nodes by name, each with its labels; what it saw; what it is told to answer in place of the truth."""

    def __init__(self, host: str = "127.0.0.1", *, tls: bool = True, client_ca: bool = False, port: int = 0) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        self.seen: list[Seen] = []
        self.answers: dict[str, tuple[int, object]] = {}
        """by method: status and body in place of the truth"""
        self.token: str | None = TOKEN
        self.changed = threading.Condition()

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            daemon_threads = True

        self._server = Server((host, port), _handler(self))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(TLS / "server.crt", TLS / "server.key")
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(TLS / "ca.crt")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host, self.port = host, self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, count: int, deadline_seconds: float = 20) -> list[Seen]:
        """The requests, once there are so many."""
        with self.changed:
            enough = self.changed.wait_for(lambda: len(self.seen) >= count, deadline_seconds)
        assert enough, f"{len(self.seen)} requests within {deadline_seconds} s, expected {count}: {self.seen}"
        return list(self.seen)

    def answer(self, method: str, name: str, patch: object) -> tuple[int, object]:
        """Status and body, as core/v1 would have them."""
        if method in self.answers:
            return self.answers[method]
        if name not in self.nodes:
            return 404, {"kind": "Status", "message": f'nodes "{name}" not found', "code": 404}
        if method == "PATCH":
            assert isinstance(patch, dict)
            for key, value in patch["metadata"]["labels"].items():
                if value is None:
                    self.nodes[name].pop(key, None)
                else:
                    self.nodes[name][key] = value
        return 200, {"kind": "Node", "metadata": {"name": name, "labels": dict(self.nodes[name])}}


@contextmanager
def api_server(host: str = "127.0.0.1", *, tls: bool = True, client_ca: bool = False) -> Iterator[ApiServer]:
    """A running server, closed at the end."""
    server = ApiServer(host, tls=tls, client_ca=client_ca)
    try:
        yield server
    finally:
        server.close()


def kubeconfig(folder: Path, server: str, **user: str) -> str:
    """Writes a kubeconfig (JSON is YAML) with the tests' CA; `user` as in `users[].user`. Its path."""
    cluster = {"server": server, "certificate-authority": str(TLS / "ca.crt")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user or {"token": TOKEN}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return str(path)


def _handler(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            body = json.loads(text) if text else None
            headers = (self.headers.get("Content-Type"), self.headers.get("Accept"))
            status, answer = self.judged(body)
            with server.changed:
                server.seen.append(Seen(self.command, self.path, *headers, body))
                server.changed.notify_all()
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def judged(self, body: object) -> tuple[int, object]:
            if server.token is not None and self.headers.get("Authorization") != f"Bearer {server.token}":
                return 401, {"kind": "Status", "message": "Unauthorized", "code": 401}
            prefix = "/api/v1/nodes/"
            if not self.path.startswith(prefix):
                return 404, "404 page not found"
            if self.command == "PATCH" and self.headers.get("Content-Type") != "application/merge-patch+json":
                return 415, {"kind": "Status", "message": "unsupported media type", "code": 415}
            return server.answer(self.command, self.path[len(prefix) :], body)

        do_GET = do_PATCH = handle_one

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output stays the test's."""

    return Handler
