"""The calls to the kubelet over a real socket, when the other end goes away."""

import asyncio
from pathlib import Path

import pytest

from furiosa_npu.kubelet.client import KubeletError, list_pod_resources


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A kubelet that dies with a request in its hands."""
    await reader.read(1)
    writer.close()


async def test_a_lost_connection_is_an_error_and_leaves_the_caller_as_it_was(tmp_path: Path) -> None:
    """The caller's next timeout is a TimeoutError; a cancellation left behind would end its task there."""
    path = str(tmp_path / "kubelet.sock")
    async with await asyncio.start_unix_server(_hang_up, path):
        with pytest.raises(KubeletError, match=r"kubelet\.sock: /v1\.PodResourcesLister/List: Connection lost"):
            await list_pod_resources(path, 5.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
