"""A small API server on loopback: nodes' labels and conditions, pods' UIDs, events; each request is checked as a real
one would."""

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

TLS = Path(__file__).parent / "tls"

TOKEN = "token-of-the-labeller"


class Seen(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    content_type: str | None
    accept: str | None
    body: object


MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH = re.compile(
    r"/api/v1/(nodes/(?P<node>[^/]+)(?P<status>/status)?"
    r"|namespaces/(?P<namespace>[^/]+)/(pods/(?P<pod>[^/]+)|events(/(?P<event>[^/]+))?))"
)

Reply = tuple[int, object]


class ApiServer:
    """What it keeps, what it saw, and what it is told to answer in place of the truth."""

    def __init__(self, host: str = "127.0.0.1", *, tls: bool = True, client_ca: bool = False, port: int = 0) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        """labels by name"""
        self.written: dict[str, set[str]] = {}
        """by node the labels that somebody wrote here, and so the managed fields name"""
        self.node_info: dict[str, dict[str, str]] = {}
        """`status.nodeInfo` by name"""
        self.conditions: dict[str, dict[str, dict[str, str]]] = {}
        """by node and type"""
        self.pods: dict[tuple[str, str], str] = {}
        """UIDs by namespace and name"""
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        """by namespace and name"""
        self.seen: list[Seen] = []
        self.connections = 0
        self.answers: dict[str, Reply] = {}
        """status and body in place of the truth, by how the request begins: `PATCH`, `POST /api/v1/namespaces/x/`"""
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

    def wait_for(self, count: int, deadline_seconds: float = 60) -> list[Seen]:
        """The requests, once there are so many."""
        with self.changed:
            enough = self.changed.wait_for(lambda: len(self.seen) >= count, deadline_seconds)
        assert enough, f"{len(self.seen)} requests within {deadline_seconds} s, expected {count}: {self.seen}"
        return list(self.seen)

    def answer(self, method: str, path: str, content_type: str | None, body: object) -> Reply:
        """Status and body, as core/v1 would have them."""
        for start, reply in self.answers.items():
            if f"{method} {path}".startswith(start):
                return reply
        found = _PATH.fullmatch(path)
        if found is None:
            return 404, "404 page not found"
        expected = STRATEGIC_MERGE_PATCH if found["status"] else MERGE_PATCH
        if method == "PATCH" and content_type != expected:
            return _status(415, "unsupported media type")
        if found["node"] is not None:
            return self._of_node(method, found["node"], body, status=found["status"] is not None)
        if found["pod"] is not None:
            return self._of_pod((found["namespace"], found["pod"]))
        return self._of_event(method, found["namespace"], found["event"], body)

    def _of_node(self, method: str, name: str, patch: object, *, status: bool) -> Reply:
        if name not in self.nodes:
            return _status(404, f'nodes "{name}" not found')
        if method == "PATCH":
            assert isinstance(patch, dict)
            if status:
                kept = self.conditions.setdefault(name, {})
                for condition in patch["status"]["conditions"]:
                    kept[condition["type"]] = kept.get(condition["type"], {}) | condition
            for key, value in patch.get("metadata", {}).get("labels", {}).items():
                if value is None:
                    self.nodes[name].pop(key, None)
                else:
                    self.nodes[name][key] = value
                    self.written.setdefault(name, set()).add(key)
        status_part = {"nodeInfo": self.node_info[name]} if name in self.node_info else {}
        return 200, {
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": dict(self.nodes[name]),
                "managedFields": [_managed(sorted(self.written.get(name, set()) & self.nodes[name].keys()))],
            },
            "status": status_part,
        }

    def _of_pod(self, key: tuple[str, str]) -> Reply:
        if key not in self.pods:
            return _status(404, f'pods "{key[1]}" not found')
        return 200, {"kind": "PartialObjectMetadata", "metadata": {"name": key[1], "uid": self.pods[key]}}

    def _of_event(self, method: str, namespace: str, name: str | None, body: object) -> Reply:
        assert isinstance(body, dict)
        if method == "POST":
            name = body["metadata"]["name"]
            fault = _fault_of_event(namespace, body)
            if fault is not None:
                return _status(422, f'Event "{name}" is invalid: {fault}')
            if (namespace, name) in self.events:
                return _status(409, f'events "{name}" already exists')
            self.events[namespace, str(name)] = body
            return 201, {"kind": "Event", "metadata": {"name": name}}
        if (namespace, str(name)) not in self.events:
            return _status(404, f'events "{name}" not found')
        self.events[namespace, str(name)] |= body
        return 200, {"kind": "Event", "metadata": {"name": name}}


def _managed(labels: list[str]) -> dict[str, object]:
    """An entry of `metadata.managedFields`, as one that is made from a User-Agent."""
    fields: dict[str, object] = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in labels}}}
    return {"manager": "furiosa-npu", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}


def _status(code: int, message: str) -> Reply:
    return code, {"kind": "Status", "message": message, "code": code}


def _fault_of_event(namespace: str, event: dict[str, Any]) -> str | None:
    """What legacyValidateEvent, ValidateObjectMeta and the decoder of 1.20 to 1.37 would refuse."""
    name, about = event["metadata"]["name"], event["involvedObject"]
    if len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        return "metadata.name: must be a lowercase RFC 1123 subdomain"
    if (about.get("namespace") or "default") != namespace:
        return "involvedObject.namespace: does not match event.namespace"
    if not all(_TIME.fullmatch(event[field]) for field in ("firstTimestamp", "lastTimestamp")):
        return "firstTimestamp, lastTimestamp: expected RFC 3339"
    if event["type"] not in ("Normal", "Warning"):
        return "type: has invalid value"
    return None


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

        def setup(self) -> None:
            super().setup()
            server.connections += 1

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

        def judged(self, body: object) -> Reply:
            if server.token is not None and self.headers.get("Authorization") != f"Bearer {server.token}":
                return _status(401, "Unauthorized")
            return server.answer(self.command, self.path, self.headers.get("Content-Type"), body)

        do_GET = do_PATCH = do_POST = do_DELETE = handle_one

        def log_message(self, format: str, *arguments: object) -> None:
            """The test's output stays the test's."""

    return Handler
