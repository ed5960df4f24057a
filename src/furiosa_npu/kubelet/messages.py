"""What a service takes from a call of grpclib's."""

from typing import Any

from grpclib.const import Status
from grpclib.exceptions import GRPCError


async def received(stream: Any) -> Any:
    """The one message of the call. Raises GRPCError where the peer sent none."""
    message = await stream.recv_message()
    if message is None:
        raise GRPCError(Status.INVALID_ARGUMENT, "found no message, expected one")
    return message
