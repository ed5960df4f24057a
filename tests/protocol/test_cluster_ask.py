"""What is asked of the API server from a loop, each time by a real child process."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from furiosa_npu.cluster.api import Access, ApiRequest
from furiosa_npu.cluster.ask import ask
from tests.protocol.api_server import api_server, kubeconfig

_NODES = [ApiRequest("GET", f"/api/v1/nodes/{name}") for name in ("n1", "n2")]


def _children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return file.read().split()


async def test_each_request_has_its_answer(tmp_path: Path) -> None:
    """In their order, by one child, and callers do not wait for each other."""
    with api_server() as server:
        server.nodes["n1"] = {}
        access = Access(kubeconfig(tmp_path, server.url))
        both, one = await asyncio.gather(ask(access, _NODES), ask(access, _NODES[:1]))
        assert [answer.status for answer in (*both, *one)] == [200, 404, 200]
        assert _children() == []


async def test_an_api_server_that_says_nothing_is_waited_for_no_longer_than_was_said(tmp_path: Path) -> None:
    """Each request has an error in words, and the child is gone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = Access(kubeconfig(tmp_path, f"https://127.0.0.1:{silent.getsockname()[1]}"), timeout_seconds=10.0)
        late = iter([0.0, 1000.0])
        answers = await ask(access, _NODES, clock=lambda: next(late))
    reason = "the API server was asked and nothing came within 30 s"
    assert [(answer.status, answer.error) for answer in answers] == [(None, reason)] * 2
    assert _children() == []


async def test_who_stops_waiting_leaves_no_child(tmp_path: Path) -> None:
    """The agent ends, or what was asked for is not wanted any more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = Access(kubeconfig(tmp_path, f"https://127.0.0.1:{silent.getsockname()[1]}"))
        asking = asyncio.create_task(ask(access, _NODES))
        await asyncio.sleep(0)
        assert len(_children()) == 1
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert _children() == []
