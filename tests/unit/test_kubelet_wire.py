"""The small codec against Kubernetes' own definitions, compiled by protoc, and protobuf's own parser."""

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from grpc_tools import protoc
from hypothesis import given
from hypothesis import strategies as st

import furiosa_npu.kubelet
from furiosa_npu.kubelet import deviceplugin_v1beta1, dra_health_v1, dra_v1, pluginregistration_v1, podresources_v1
from furiosa_npu.kubelet.wire import Field, Schema, WireError, decode, encode

PROTO = Path(furiosa_npu.kubelet.__file__).parent / "proto"


def _compiled(definition: str) -> ModuleType:
    """The definition as protoc's Python module."""
    with tempfile.TemporaryDirectory() as out:
        source = PROTO / definition
        arguments = ["protoc", f"-I{source.parent}", f"--python_out={out}", str(source)]
        if protoc.main(arguments) != 0:
            raise RuntimeError(f"protoc failed: {arguments}")
        name = "compiled_" + definition.replace("/", "_").replace(".", "_")
        generated = Path(out) / "api_pb2.py"
        # Two files named api.proto cannot live in one descriptor pool: each is given a name of its own.
        generated.write_text(generated.read_text().replace("api.proto", f"{len(name)}_.proto"[:9]))
        spec = importlib.util.spec_from_file_location(name, generated)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module


DEFINITIONS = {
    "deviceplugin/v1beta1/api.proto": deviceplugin_v1beta1.SCHEMA,
    "podresources/v1/api.proto": podresources_v1.SCHEMA,
    "pluginregistration/v1/api.proto": pluginregistration_v1.SCHEMA,
    "dra/v1/api.proto": dra_v1.SCHEMA,
    "dra-health/v1/api.proto": dra_health_v1.SCHEMA,
    "dra-health/v1alpha1/api.proto": dra_health_v1.SCHEMA,
}
COMPILED = {definition: _compiled(definition) for definition in DEFINITIONS}
MESSAGES = [
    (COMPILED[definition], message_type, schema)
    for definition, schema in DEFINITIONS.items()
    for message_type in schema
]
FIXED_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _strategy(message_type: type[Any], schema: Schema) -> st.SearchStrategy[Any]:
    def of(field: Field) -> st.SearchStrategy[Any]:
        one: st.SearchStrategy[Any]
        if field.mapped:
            kind = field.kind
            one = _strategy(kind, schema) if isinstance(kind, type) else FIXED_TEXT
            return st.dictionaries(FIXED_TEXT, one, max_size=4)
        if isinstance(field.kind, type):
            one = _strategy(field.kind, schema)
            return st.lists(one, max_size=3).map(tuple) if field.repeated else st.none() | one
        one = {
            "string": FIXED_TEXT,
            "bool": st.booleans(),
            "int32": st.integers(-(2**31), 2**31 - 1),
            "int64": st.integers(-(2**63), 2**63 - 1),
        }[field.kind]
        return st.lists(one, max_size=3).map(tuple) if field.repeated else one

    return st.tuples(*(of(field) for field in schema[message_type])).map(lambda values: message_type(*values))


def _fill(theirs: Any, ours: Any, schema: Schema) -> Any:
    """The protobuf message `theirs`, set to what our message says, field by number."""
    names = theirs.DESCRIPTOR.fields_by_number
    for field, value in zip(schema[type(ours)], ours, strict=True):
        name = names[field.number].name
        if field.mapped and field.kind == "string":
            getattr(theirs, name).update(value)
        elif field.mapped:
            for key, item in value.items():
                _fill(getattr(theirs, name)[key], item, schema)
        elif isinstance(field.kind, type):
            for item in value if field.repeated else (() if value is None else (value,)):
                target = getattr(theirs, name).add() if field.repeated else getattr(theirs, name)
                target.SetInParent() if not field.repeated else None
                _fill(target, item, schema)
        elif field.repeated:
            getattr(theirs, name).extend(value)
        else:
            setattr(theirs, name, value)
    return theirs


@pytest.mark.parametrize(("module", "message_type", "schema"), MESSAGES, ids=lambda part: getattr(part, "__name__", ""))
@given(data=st.data())
def test_messages_mean_the_same_to_protobuf_in_as_many_bytes(
    module: ModuleType, message_type: type[Any], schema: Schema, data: st.DataObject
) -> None:
    """What we write protobuf reads as the same values, what it writes we read; only a map's order is free."""
    ours = data.draw(_strategy(message_type, schema))
    theirs = _fill(getattr(module, message_type.__name__)(), ours, schema)
    raw = theirs.SerializeToString()
    written = encode(ours, schema)
    assert (type(theirs).FromString(written), len(written)) == (theirs, len(raw))
    assert decode(message_type, raw, schema) == ours


@pytest.mark.parametrize(("module", "message_type", "schema"), MESSAGES, ids=lambda part: getattr(part, "__name__", ""))
def test_every_described_field_stands_in_the_definition(
    module: ModuleType, message_type: type[Any], schema: Schema
) -> None:
    """Number, kind and repetition of each field are those of Kubernetes' definition."""
    kinds: dict[int, Callable[[Any], Any]] = {3: lambda _: "int64", 5: lambda _: "int32", 8: lambda _: "bool"}
    kinds |= {9: lambda _: "string", 11: lambda field: field.message_type.name, 14: lambda _: "int32"}
    descriptor = getattr(module, message_type.__name__).DESCRIPTOR
    said = []
    for field in schema[message_type]:
        kind = field.kind.__name__ if isinstance(field.kind, type) else field.kind
        said.append((field.number, kind, field.repeated, field.mapped))
    found = []
    for number in (field.number for field in schema[message_type]):
        theirs = descriptor.fields_by_number[number]
        is_map = theirs.message_type is not None and theirs.message_type.GetOptions().map_entry
        value = theirs.message_type.fields_by_name["value"] if is_map else theirs
        found.append((number, kinds[value.type](value), theirs.is_repeated and not is_map, is_map))
    assert said == found


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error_as_for_protobuf(raw: bytes) -> None:
    """What our codec takes, protobuf takes as well, with the same content."""
    module = COMPILED["deviceplugin/v1beta1/api.proto"]
    schema = deviceplugin_v1beta1.SCHEMA
    try:
        ours = decode(deviceplugin_v1beta1.RegisterRequest, raw, schema)
    except WireError:
        return
    theirs = module.RegisterRequest()
    try:
        theirs.ParseFromString(raw)
    except DecodeError as error:
        raise AssertionError(f"protobuf refuses what we took as {ours}: {error}") from error
    assert (ours.version, ours.endpoint, ours.resource_name) == (theirs.version, theirs.endpoint, theirs.resource_name)


@pytest.mark.parametrize("raw", [b"\x00\x00", b"\xf2\x80\x80\x80\x22\x00", b"\x90\x80\x80\x80\x80\x00\x01"])
def test_a_field_s_number_is_one_that_protobuf_knows(raw: bytes) -> None:
    """Neither 0 nor wider than 29 bits, in five bytes at most: as protobuf refuses it."""
    with pytest.raises(WireError, match=r"found no field's number at byte 0, expected one from 1 to 536870911"):
        decode(deviceplugin_v1beta1.RegisterRequest, raw, deviceplugin_v1beta1.SCHEMA)
    with pytest.raises(DecodeError):
        COMPILED["deviceplugin/v1beta1/api.proto"].RegisterRequest.FromString(raw)


def _is_whole(module: ModuleType, message_type: type[Any], schema: Schema) -> bool:
    """All fields of the definition are described: nothing is skipped that protobuf would look into."""
    described = schema[message_type]
    parts = [field.kind for field in described if isinstance(field.kind, type)]
    descriptor = getattr(module, message_type.__name__).DESCRIPTOR
    return len(described) == len(descriptor.fields) and all(_is_whole(module, part, schema) for part in parts)


@pytest.mark.parametrize(
    ("module", "message_type", "schema"),
    [message for message in MESSAGES if _is_whole(*message)],
    ids=lambda part: getattr(part, "__name__", ""),
)
@given(data=st.data(), start=st.integers(0, 200), length=st.integers(0, 8), other=st.binary(max_size=8))
def test_a_damaged_message_is_an_error_or_what_protobuf_reads(
    module: ModuleType,
    message_type: type[Any],
    schema: Schema,
    data: st.DataObject,
    start: int,
    length: int,
    other: bytes,
) -> None:
    """Of a message with a part replaced nothing is taken that protobuf does not find there."""
    raw = encode(data.draw(_strategy(message_type, schema)), schema)
    start %= len(raw) + 1
    raw = raw[:start] + other + raw[start + length :]
    try:
        ours = decode(message_type, raw, schema)
    except WireError:
        return
    theirs = getattr(module, message_type.__name__)()
    theirs.ParseFromString(raw)
    assert decode(message_type, theirs.SerializeToString(), schema) == ours


def test_a_message_that_comes_in_parts_is_one() -> None:
    """As protobuf has it: of a field that is no list, each part adds to those before."""
    whole = encode(dra_health_v1.DeviceIdentifier("pool", "device"), dra_health_v1.SCHEMA)
    first, second = whole[:6], whole[6:]
    raw = b"".join(b"\x0a" + bytes([len(part)]) + part for part in (first, second))
    found = decode(dra_health_v1.DeviceHealth, raw, dra_health_v1.SCHEMA)
    assert found.device == dra_health_v1.DeviceIdentifier("pool", "device")


@pytest.mark.parametrize(
    ("message_type", "raw"),
    [
        # the key of a map's entry twice, the first no UTF-8
        (dra_v1.NodeUnprepareResourcesResponse, b"\x0a\x06\x0a\x01\xa2\x0a\x01k"),
        # a text twice
        (deviceplugin_v1beta1.RegisterRequest, b"\x0a\x01\xa2\x0a\x01v"),
        # a message in two parts, the first of which ends in the middle of a text
        (dra_health_v1.DeviceHealth, b"\x0a\x03\x0a\x02a\x0a\x01b"),
        (dra_v1.NodeUnprepareResourcesResponse, b"\x0a\x08\x12\x03\x0a\x02a\x12\x01b"),
    ],
)
def test_what_comes_several_times_is_right_each_time(message_type: type[Any], raw: bytes) -> None:
    """As protobuf has it, though the last, or all together, would be."""
    schema, module = next((schema, module) for module, one, schema in MESSAGES if one is message_type)
    with pytest.raises(DecodeError):
        getattr(module, message_type.__name__).FromString(raw)
    with pytest.raises(WireError):
        decode(message_type, raw, schema)


def test_unknown_fields_of_a_newer_kubelet_are_skipped() -> None:
    """A field that the schema does not know, of any wire type, changes nothing."""
    known = deviceplugin_v1beta1.DevicePluginOptions(pre_start_required=True)
    raw = encode(known, deviceplugin_v1beta1.SCHEMA)
    newer = b"\x98\x06\x2a" + raw + b"\xa2\x06\x03abc" + b"\xa9\x06" + bytes(8) + b"\xb5\x06" + bytes(4)
    assert decode(deviceplugin_v1beta1.DevicePluginOptions, newer, deviceplugin_v1beta1.SCHEMA) == known
