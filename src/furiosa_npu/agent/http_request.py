"""The part of HTTP/1.1 (RFC 9112) that probes and scrapers use: a request without a body. Bytes in, values out."""

from typing import NamedTuple

TEXT = "text/plain; charset=utf-8"

METRICS = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text exposition format"""

MAXIMUM_BYTES = 8192
"""of request line and headers together; a kubelet's probe has about 150, Prometheus' scrape about 400"""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class Request(NamedTuple):
    """A whole request."""

    method: str
    path: str
    """without its query"""


class Fault(NamedTuple):
    """What the client did wrong."""

    status: int
    text: str


def parse_request(data: bytes) -> Request | Fault | None:
    """What came so far on a connection; None: not whole yet, and nothing wrong with it so far."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if len(head) > MAXIMUM_BYTES or (not end and len(data) > MAXIMUM_BYTES):
        return Fault(431, f"the request is longer than {MAXIMUM_BYTES} bytes")
    if not end:
        return None
    request_line, *headers = head.split(b"\r\n")
    words = request_line.split(b" ")
    if len(words) != 3 or not words[0].isalpha() or not request_line.isascii() or not words[1].startswith(b"/"):
        return Fault(400, "the request line is not METHOD /PATH HTTP/1.x")
    if words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        return Fault(505, "the version is not HTTP/1.0 or HTTP/1.1")
    if any(b":" not in header or header[:1] in b": \t" for header in headers):
        return Fault(400, "a header line is not NAME: VALUE")
    return Request(words[0].decode(), words[1].partition(b"?")[0].decode())


def render_response(status: int, content_type: str, body: str, *, head_only: bool = False, allow: str = "") -> bytes:
    """One answer, after which the connection is closed. `head_only`: to HEAD, the length without the body."""
    content = body.encode()
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if allow:
        lines.append(f"Allow: {allow}")
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else content)
