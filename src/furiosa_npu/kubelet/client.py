"""Calls to the kubelet over its unix sockets, and of them pod-resources' List.

Each call has a channel of its own: the kubelet restarts, and a channel that was never kept cannot be stale.
"""

import asyncio
from typing import Any

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import GRPCError, StreamTerminatedError
from grpclib.protocol import H2Protocol

from furiosa_npu.kubelet import podresources_v1 as podresources
from furiosa_npu.kubelet.bounded_connection import Limits
from furiosa_npu.kubelet.bounded_protocol import READ_BYTES, BoundedProtocol
from furiosa_npu.kubelet.codec import WireCodec
from furiosa_npu.kubelet.wire import Schema

LIMITS = Limits(message_bytes=4194304, streams=0)
"""What Go's gRPC takes unless told otherwise; a node's full list of 250 pods has less than a tenth of it."""


class KubeletError(Exception):
    """A call that the kubelet did not answer well: which socket and call, and what it said."""


async def list_pod_resources(socket_path: str, timeout_seconds: float) -> podresources.ListPodResourcesResponse:
    """`v1.PodResourcesLister/List`. Raises KubeletError."""
    response: podresources.ListPodResourcesResponse = await call(
        socket_path,
        "/v1.PodResourcesLister/List",
        podresources.ListPodResourcesRequest(),
        podresources.ListPodResourcesResponse,
        podresources.SCHEMA,
        timeout_seconds,
    )
    return response


async def call(
    socket_path: str, method: str, request: Any, response_type: type[Any], schema: Schema, timeout_seconds: float
) -> Any:
    """The answer to one unary call, of `response_type`. Raises KubeletError."""
    channel = BoundedChannel(path=socket_path, codec=WireCodec(schema))
    try:
        async with asyncio.timeout(timeout_seconds):
            # A task of its own: where the connection is lost grpclib cancels the task that waits, and never takes it
            # back (`Task.uncancel`). Left with that, Python 3.11.2 ends the caller at its next timeout.
            answer = await asyncio.create_task(
                _exchange(UnaryUnaryMethod(channel, method, type(request), response_type), request)
            )
    except GRPCError as error:
        raise KubeletError(
            f"{socket_path}: {method}: the kubelet answered {error.status.name}: {error.message}"
        ) from error
    except TimeoutError as error:
        raise KubeletError(f"{socket_path}: {method}: no answer from the kubelet in {timeout_seconds:g} s") from error
    except (OSError, StreamTerminatedError) as error:
        raise KubeletError(f"{socket_path}: {method}: {error}") from error
    finally:
        channel.close()
    if answer is None:
        raise KubeletError(f"{socket_path}: {method}: the kubelet answered well and without a message")
    return answer


async def _exchange(method: UnaryUnaryMethod[Any, Any], request: Any) -> Any:
    async with method.open() as stream:
        await stream.send_message(request, end=True)
        return await stream.recv_message()


class BoundedChannel(Channel):
    """grpclib's, with a bounded connection."""

    def _protocol_factory(self) -> H2Protocol:
        return BoundedProtocol(super()._protocol_factory(), LIMITS, bytearray(READ_BYTES))
