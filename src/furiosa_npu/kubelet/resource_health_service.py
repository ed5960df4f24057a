"""The service `DRAResourceHealth`, on which the kubelet watches the health of a driver's devices."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from grpclib.const import Cardinality, Handler

from furiosa_npu.kubelet.dra_health_v1 import (
    SUPPORTED_VERSIONS,
    NodeWatchResourcesRequest,
    NodeWatchResourcesResponse,
)
from furiosa_npu.kubelet.messages import received


class ResourceHealthService:
    """Streams what `lists` gives, all devices each time, to each kubelet that watches; made for grpclib's `Server`.

    A list is worth saying again, unchanged, well within its devices' `health_check_timeout_seconds`: after that the
    kubelet holds them for unknown, and at once when a stream of any of the driver's instances ends (1.37).
    """

    def __init__(self, lists: Callable[[], AsyncIterator[NodeWatchResourcesResponse]]) -> None:
        """`lists`: an iterator a watcher; it is closed when the watcher's stream ends."""
        self._lists = lists

    async def _watch(self, stream: Any) -> None:
        await received(stream)
        lists = self._lists()
        try:
            async for response in lists:
                await stream.send_message(response)
        finally:
            await lists.aclose()  # type: ignore[attr-defined]  # an async generator in all but name

    def __mapping__(self) -> dict[str, Handler]:
        return {
            f"/{service}/NodeWatchResources": Handler(
                self._watch, Cardinality.UNARY_STREAM, NodeWatchResourcesRequest, NodeWatchResourcesResponse
            )
            for service in SUPPORTED_VERSIONS
        }
