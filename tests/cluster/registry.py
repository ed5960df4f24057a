"""A container registry for one push (OCI distribution specification 1.1, "Push"), kept in memory."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Registry:
    """What was pushed: blobs by digest, manifests by `name:tag`."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.address = ""


@contextmanager
def registry() -> Iterator[Registry]:
    """Serves plain HTTP on loopback at `address` while it lasts."""
    kept = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kept))
    kept.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(kept: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200 if self.path == "/v2/" else 404)

        def do_HEAD(self) -> None:
            self._answer(200 if self.path.rpartition("/")[2] in kept.blobs else 404)

        def do_POST(self) -> None:
            upload = f"{urlsplit(self.path).path}{len(kept.uploads)}"
            kept.uploads[upload] = b""
            self._answer(202, {"Location": upload})

        def do_PATCH(self) -> None:
            kept.uploads[self.path] += self._body()
            last = len(kept.uploads[self.path]) - 1
            self._answer(202, {"Location": self.path, "Range": f"0-{last}"})

        def do_PUT(self) -> None:
            parts = urlsplit(self.path)
            if "/manifests/" in parts.path:
                name, _, tag = parts.path.removeprefix("/v2/").partition("/manifests/")
                kept.manifests[f"{name}:{tag}"] = body = self._body()
                self._answer(201, {"Docker-Content-Digest": _digest(body)})
                return
            blob = kept.uploads.pop(parts.path) + self._body()
            (wanted,) = parse_qs(parts.query)["digest"]
            if _digest(blob) != wanted:
                self._answer(400)
                return
            kept.blobs[wanted] = blob
            self._answer(201, {"Docker-Content-Digest": wanted})

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silence: the test says what it expected."""

    return Handler


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
