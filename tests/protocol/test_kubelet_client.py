"""The calls to the kubelet over a real socket, when the other end goes away or answers badly."""

import asyncio
import random
import struct
from pathlib import Path

import pytest

from furiosa_npu.kubelet import podresources_v1 as podresources
from furiosa_npu.kubelet.client import LIMITS, BoundedChannel, KubeletError, list_pod_resources
from furiosa_npu.kubelet.codec import WireCodec
from furiosa_npu.kubelet.wire import encode
from tests.protocol.http2_peer import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    SETTINGS,
    frame,
    literal,
)

HELLO = frame(SETTINGS, 0, 0)
ANSWER_HEADERS = literal(":status", "200") + literal("content-type", "application/grpc")
ANSWER = HELLO + frame(HEADERS, END_HEADERS, 1, ANSWER_HEADERS)
GOOD_END = frame(HEADERS, END_HEADERS | END_STREAM, 1, literal("grpc-status", "0"))
NOISE = random.Random(1).randbytes(4096)  # noqa: S311 - any bytes do, the same each time
HUNDRED_MB = 100_000_000
GROWTH_KIB = 12288
LONG = 60.0
"""seconds that are never waited for: what comes has come long before"""


def _message(content: bytes, announced: int | None = None) -> bytes:
    """In one frame: the five bytes before it, and itself."""
    return frame(DATA, 0, 1, struct.pack(">BI", 0, len(content) if announced is None else announced) + content)


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A kubelet that dies with a request in its hands."""
    await reader.read(1)
    writer.close()


async def test_a_lost_connection_is_an_error_and_leaves_the_caller_as_it_was(tmp_path: Path) -> None:
    """The caller's next timeout is a TimeoutError; a cancellation left behind would end its task there."""
    path = str(tmp_path / "kubelet.sock")
    async with await asyncio.start_unix_server(_hang_up, path):
        with pytest.raises(KubeletError, match=r"kubelet\.sock: /v1\.PodResourcesLister/List: Connection lost"):
            await list_pod_resources(path, LONG)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()


async def test_a_connection_that_is_lost_before_the_call_is_an_error(tmp_path: Path) -> None:
    """A kubelet that dies between its accept and our request: an OSError, as if it had died a moment later."""
    path = str(tmp_path / "kubelet.sock")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    channel = BoundedChannel(path=path, codec=WireCodec(podresources.SCHEMA))
    async with await asyncio.start_unix_server(hang_up, path):
        protocol = await channel.__connect__()
        lost, told = protocol.connection_lost, asyncio.Event()
        protocol.connection_lost = lambda error: (lost(error), told.set())  # type: ignore[method-assign,assignment,func-returns-value]
        async with asyncio.timeout(LONG):
            await told.wait()
        with pytest.raises(ConnectionResetError, match="connection lost"):
            protocol.processor.connection.create_stream()
    channel.close()


class _Kubelet:
    """Answers a call with these bytes, the last of them over and over, and keeps the connection."""

    def __init__(self, first: bytes, again: bytes = b"") -> None:
        self._first = first
        self._again = again
        self.sent = 0
        self.hung_up = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(65536)
            writer.write(self._first)
            while self._again and self.sent < HUNDRED_MB:
                writer.write(self._again)
                self.sent += len(self._again)
                await writer.drain()
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.hung_up.set()


async def _error(folder: Path, kubelet: _Kubelet, seconds: float = LONG) -> str:
    path = str(folder / "kubelet.sock")
    async with await asyncio.start_unix_server(kubelet, path):
        with pytest.raises(KubeletError) as raised:
            await list_pod_resources(path, seconds)
        await kubelet.hung_up.wait()
    text = str(raised.value)
    assert text.startswith(f"{path}: /v1.PodResourcesLister/List: ")
    return text.removeprefix(f"{path}: /v1.PodResourcesLister/List: ")


async def test_a_good_answer_is_read_whole(tmp_path: Path) -> None:
    """The stand-in of these tests can answer well, a message in pieces too."""
    pods = podresources.ListPodResourcesResponse(tuple(podresources.PodResources(f"pod-{n}") for n in range(1000)))
    message = encode(pods, podresources.SCHEMA)
    content = struct.pack(">BI", 0, len(message)) + message
    pieces = b"".join(frame(DATA, 0, 1, content[at : at + 999]) for at in range(0, len(content), 999))
    path = str(tmp_path / "kubelet.sock")
    kubelet = _Kubelet(ANSWER + pieces + GOOD_END)
    async with await asyncio.start_unix_server(kubelet, path):
        assert await list_pod_resources(path, LONG) == pods
        await kubelet.hung_up.wait()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NOISE, "the peer sent what is no gRPC: a frame of"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer sent what is no gRPC: a frame of"),
        (HELLO + frame(HEADERS, END_HEADERS, 1, NOISE[:100]), "the peer sent what is no gRPC"),
        (HELLO + frame(HEADERS, END_HEADERS, 1, literal("x", "y")), "headers without :status"),
        (HELLO + frame(HEADERS, END_HEADERS, 1, literal(":status", "teapot")), "teapot"),
        (HELLO + frame(HEADERS, END_HEADERS, 1, literal(":status", "200")), "Missing content-type"),
        (HELLO + frame(HEADERS, END_HEADERS, 1, ANSWER_HEADERS + literal("x-bin", "abcde")), "no base64"),
        (ANSWER + frame(HEADERS, END_HEADERS | END_STREAM, 1, literal("grpc-status", "many")), "Invalid grpc-status"),
        (ANSWER + _message(b"\x0a\x7f") + GOOD_END, "ListPodResourcesResponse: field 1 says 127 bytes"),
        (ANSWER + _message(b"", HUNDRED_MB), "expected 4194304 at most"),
        (ANSWER + frame(DATA, 0, 1, b"\1\0\0\0\0") + GOOD_END, "compressed"),
        (ANSWER + frame(DATA, 0, 1, b"\0\0") + GOOD_END, "the message ends after 2 of 5 bytes"),
        (ANSWER + _message(b"abc", 10) + GOOD_END, "the message ends after 3 of 10 bytes"),
        (ANSWER + _message(b"", 10) + GOOD_END, "the message ends before its 10 bytes"),
        (ANSWER + GOOD_END, "without a message"),
        (
            ANSWER + frame(HEADERS, 5, 1, literal("grpc-status", "7") + literal("grpc-message", "no")),
            "PERMISSION_DENIED: no",
        ),
        (HELLO + frame(5, END_HEADERS, 1, b"\0\0\0\2" + literal(":path", "/")), "the peer sent what is no gRPC"),
    ],
)
async def test_a_bad_answer_is_an_error_that_says_why(tmp_path: Path, answer: bytes, words: str) -> None:
    """Whatever the kubelet's socket says, the caller gets a KubeletError at once."""
    assert words in await _error(tmp_path, _Kubelet(answer))


async def test_half_an_answer_is_an_error_after_the_time_given(tmp_path: Path) -> None:
    """Half a frame, and half a message."""
    for answer in ((ANSWER + _message(b"abc"))[:-2], ANSWER + _message(b"abc", 10)):
        assert await _error(tmp_path, _Kubelet(answer), 0.5) == "no answer from the kubelet in 0.5 s"


@pytest.mark.parametrize(
    ("first", "again", "words", "seconds"),
    [
        (ANSWER + _message(b"", HUNDRED_MB), frame(DATA, 0, 1, bytes(16384)), "expected 4194304 at most", LONG),
        (ANSWER + _message(b"", LIMITS.message_bytes), frame(DATA, 0, 1, b"\x0a\0" * 8192), "elements", LONG),
        (
            HELLO + frame(HEADERS, 0, 1, ANSWER_HEADERS),
            frame(CONTINUATION, 0, 1, literal("x", "y") * 99),
            "headers",
            LONG,
        ),
        (HELLO, frame(PING, 0, 0, bytes(8)), "no answer", 3.0),
        (HELLO, frame(SETTINGS, 0, 0, b"\x12\x34\0\0\0\1"), "settings", LONG),
    ],
)
async def test_an_answer_without_end_costs_no_more_than_a_full_list(
    tmp_path: Path, first: bytes, again: bytes, words: str, seconds: float
) -> None:
    """A hundred megabytes, announced or not, in messages, headers, pings or settings."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as highest:  # noqa: ASYNC230 - procfs
        highest.write("5")
    before = _highest_kib()
    assert words in await _error(tmp_path, _Kubelet(first, again), seconds)
    assert _highest_kib() - before < LIMITS.message_bytes // 1024 + GROWTH_KIB


def _highest_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
