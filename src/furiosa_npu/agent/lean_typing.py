"""What modules ask `typing` for when they run, without `typing` itself: half a MiB of an agent that needs no asyncio.

Annotations are mypy's; of what they say, an agent at work needs the fields of its named tuples.
"""

import collections
from types import GenericAlias

from furiosa_npu.agent.late_module import LateModule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def put_lean_typing() -> None:
    """From now on `typing` is this, until something else of it is asked for. Before any module that imports it."""
    words = dict.fromkeys(("Any", "Literal", "NoReturn", "Protocol", "TypeAlias", "TypeVar"), _Word())
    LateModule.put("typing", cast=_cast, NamedTuple=_Word(_NamedTuple), Generic=_Word(_Generic), **words)


def _cast(_kind: object, value: object) -> object:
    return value


class _Word:
    """Of annotations: it may stand beside others, take parameters, be called, and be among the bases of a class."""

    def __init__(self, *bases: type) -> None:
        """`bases`: what it adds to a class that has it as a base."""
        self._bases = bases

    def __call__(self, *_arguments: object, **_named: object) -> "_Word":
        return self

    def __getitem__(self, _parameters: object) -> "_Word":
        return self

    def __or__(self, _other: object) -> "_Word":
        return self

    __ror__ = __or__

    def __mro_entries__(self, _bases: object) -> tuple[type, ...]:
        return self._bases


class _Generic:
    def __class_getitem__(cls, parameters: object) -> GenericAlias:
        return GenericAlias(cls, parameters)


class _TupleMaker(type):
    def __new__(cls, name: str, bases: tuple[type, ...], body: "dict[str, Any]") -> "Any":
        fields = body.get("__annotations__", {})
        defaults = [body[field] for field in fields if field in body]
        make: Any = collections.namedtuple
        made = make(name, fields, defaults=defaults, module=body["__module__"])
        made.__annotations__ = fields
        if _Generic in bases:
            made.__class_getitem__ = classmethod(GenericAlias)
        for attribute in body.keys() - fields.keys() - {"__annotations__", "__module__"}:
            setattr(made, attribute, body[attribute])
        return made


_NamedTuple = type.__new__(_TupleMaker, "NamedTuple", (), {})
