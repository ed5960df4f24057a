"""grpclib's codec over `wire`: the content is `application/grpc+proto`, as of any protobuf peer."""

from typing import Any

from grpclib.const import Status
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError

from furiosa_npu.kubelet.wire import Schema, WireError, decode, encode


class WireCodec(CodecBase):
    """Encodes and decodes the messages of one schema."""

    __content_subtype__ = "proto"

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def encode(self, message: Any, message_type: Any) -> bytes:
        if not isinstance(message, message_type):
            raise TypeError(f"the message is a {type(message).__name__}, expected a {message_type.__name__}")
        return encode(message, self._schema)

    def decode(self, data: bytes, message_type: Any) -> Any:
        try:
            return decode(message_type, data, self._schema)
        except WireError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, f"{message_type.__name__}: {error}") from error
