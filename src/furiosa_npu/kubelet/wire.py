"""Protocol Buffers' wire format (proto3) for messages that are plain `NamedTuple`s.

Source: https://protobuf.dev/programming-guides/encoding/. A schema says for each message class, position by position,
which field number and kind an element of the tuple has. Unknown fields are skipped, as the format demands, so that a
newer kubelet is understood. Why not the protobuf library: 3.6 MiB of memory and some 30 ms at each start on each node,
for thirty small messages; tests hold each message against it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal, NamedTuple

Kind = Literal["string", "bool", "int32", "int64"]

MAXIMUM_ELEMENTS = 65536
"""of repeated fields and maps in one message and all inside it: two bytes on the wire can be a hundred in memory. A
node of 500 pods that hold ten devices each has some 6000."""

_MAXIMUM_NUMBER = (1 << 29) - 1
_MAXIMUM_TAG_BYTES = 5
_NUMBERS = ("bool", "int32", "int64")
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """Bytes that are no message of the expected type; the peer that sent them is at fault."""


class Field(NamedTuple):
    """One element of a message: number on the wire, and what it holds (`kind` is a message class for a message; an enum
    is an int32)."""

    number: int
    kind: Kind | type[Any]
    repeated: bool = False
    mapped: bool = False
    """a map from strings to strings or messages, as `kind` says"""


Schema = Mapping[type[Any], tuple[Field, ...]]


def encode(message: Any, schema: Schema) -> bytes:
    """The message's bytes, fields in order of the tuple, default values left out."""
    out = bytearray()
    for (number, kind, repeated, mapped), value in zip(schema[type(message)], message, strict=True):
        if mapped:
            for key in sorted(value):
                _put(out, number, _entry(key, value[key], schema))
            continue
        for item in value if repeated else (value,):
            if kind == "string":
                if item or repeated:
                    _put(out, number, item.encode())
            elif isinstance(kind, type):
                if item is not None:
                    _put(out, number, encode(item, schema))
            elif item or repeated:
                _put_varint(out, number << 3 | _VARINT)
                _put_varint(out, int(item) & 0xFFFF_FFFF_FFFF_FFFF)
    return bytes(out)


def decode(message_type: type[Any], data: bytes, schema: Schema) -> Any:
    """The message that `data` holds. Raises WireError with what was found."""
    return _decode(message_type, data, schema, count(1))


def _decode(message_type: type[Any], data: bytes, schema: Schema, elements: Iterator[int]) -> Any:
    fields = schema[message_type]
    positions = {field.number: position for position, field in enumerate(fields)}
    values = [_default(field) for field in fields]
    merged: dict[int, list[bytes]] = {}
    for number, raw in _fields(data):
        position = positions.get(number)
        if position is None:
            continue
        field = fields[position]
        if isinstance(raw, int) != (field.kind in _NUMBERS and not field.mapped):
            continue  # another wire type than ours: an unknown field, as protobuf's own parsers hold it
        if (field.repeated or field.mapped) and next(elements) > MAXIMUM_ELEMENTS:
            raise WireError(f"more than {MAXIMUM_ELEMENTS} elements")
        if isinstance(field.kind, type) and isinstance(raw, bytes) and not (field.mapped or field.repeated):
            merged.setdefault(position, []).append(raw)  # one message, where it comes in parts
            continue
        value = _value(raw, field, schema, elements)
        if field.mapped:
            values[position][value[0]] = value[1]
        elif field.repeated:
            values[position].append(value)
        else:
            values[position] = value
    for position, parts in merged.items():
        values[position] = _joined(parts, fields[position], schema, elements)
    return message_type(*(tuple(value) if isinstance(value, list) else value for value in values))


def _default(field: Field) -> Any:
    if field.mapped:
        return {}
    if field.repeated:
        return []
    return {"string": "", "bool": False, "int32": 0, "int64": 0}[field.kind] if isinstance(field.kind, str) else None


def _entry(key: str, value: Any, schema: Schema) -> bytearray:
    out = bytearray()
    _put(out, 1, key.encode())
    _put(out, 2, value.encode() if isinstance(value, str) else encode(value, schema))
    return out


def _put(out: bytearray, number: int, payload: bytes | bytearray) -> None:
    """Tags and lengths below 128, which most are, are a byte each."""
    length = len(payload)
    if number < 16 and length < 128:
        out.append(number << 3 | _LENGTH)
        out.append(length)
    else:
        _put_varint(out, number << 3 | _LENGTH)
        _put_varint(out, length)
    out += payload


def _put_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        start = at
        tag, at = _read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= _MAXIMUM_NUMBER or at - start > _MAXIMUM_TAG_BYTES:
            raise WireError(f"found no field's number at byte {start}, expected one from 1 to {_MAXIMUM_NUMBER}")
        if wire_type == _VARINT:
            value, at = _read_varint(data, at)
            yield number, value
            continue
        if wire_type == _LENGTH:
            length, at = _read_varint(data, at)
        elif wire_type in (_FIXED32, _FIXED64):
            length = 4 if wire_type == _FIXED32 else 8
        else:
            raise WireError(f"wire type {wire_type} of field {number} at byte {at}, expected 0, 1, 2 or 5")
        if at + length > len(data):
            raise WireError(f"field {number} says {length} bytes, {len(data) - at} are left")
        if wire_type == _LENGTH:
            yield number, data[at : at + length]
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError(f"the message ends inside a number, at byte {at}")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError(f"a number of more than ten bytes, at byte {at}")


def _value(raw: int | bytes, field: Field, schema: Schema, elements: Iterator[int]) -> Any:
    if isinstance(raw, int):
        if field.kind == "bool":
            return raw != 0
        bits = 32 if field.kind == "int32" else 64  # what is wider is cut off, as protobuf does
        raw &= (1 << bits) - 1
        return raw - (1 << bits) if raw >> bits - 1 else raw
    if field.mapped:
        keys, values = list[bytes](), list[bytes]()
        for number, part in _fields(raw):
            if number in (1, 2) and isinstance(part, bytes):
                (keys if number == 1 else values).append(part)
        return _joined(keys, Field(1, "string"), schema, elements), _joined(
            values, Field(2, field.kind), schema, elements
        )
    if field.kind == "string":
        return _text(raw, field.number)
    assert isinstance(field.kind, type)  # noqa: S101 - the kinds of str are all handled above
    return _decode(field.kind, raw, schema, elements)


def _joined(parts: Sequence[bytes], field: Field, schema: Schema, elements: Iterator[int]) -> Any:
    """Of a field that is no list and comes several times: a message is what all say together, a text the last.
    Each has to be one by itself.
    """
    if len(parts) > 1:
        read = [_value(part, field, schema, elements) for part in parts]
        if not isinstance(field.kind, type):
            return read[-1]
    return _value(b"".join(parts), field, schema, elements)


def _text(raw: bytes, number: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"field {number} holds {raw[:40]!r}, expected UTF-8") from error
