"""Named tuples whose methods are shared. `collections.namedtuple` makes five functions and their docstrings for each
class, 2 KiB; an agent has some 170 such classes.
"""

import collections
import sys
from collections.abc import Iterable
from typing import Any

_make_class = collections.namedtuple


def put_lean_tuples() -> None:
    """From now on named tuples, `typing`'s as well, are made by `namedtuple` here. Before they are imported."""
    collections.namedtuple = namedtuple


def namedtuple(typename: str, field_names: str | Iterable[str], *, module: str | None = None, **options: Any) -> Any:
    """As `collections.namedtuple`."""
    if module is None:
        module = sys._getframe(1).f_globals.get("__name__", "__main__")
    made: Any = _make_class(typename, field_names, module=module, **options)
    for name, method in _METHODS.items():
        if name in made.__dict__:
            setattr(made, name, method)
    made.__doc__ = made.__new__.__doc__ = None
    return made


def _make(cls: Any, values: Iterable[Any]) -> Any:
    made = tuple.__new__(cls, values)
    if len(made) != len(cls._fields):
        raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
    return made


def _replace(self: Any, /, **changes: Any) -> Any:
    made = self._make(map(changes.pop, self._fields, self))
    if changes:
        raise ValueError(f"Got unexpected field names: {list(changes)!r}")
    return made


def _represented(self: Any) -> str:
    fields = ", ".join([f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)])
    return f"{self.__class__.__name__}({fields})"


def _as_dict(self: Any) -> dict[str, Any]:
    return dict(zip(self._fields, self, strict=True))


def _new_arguments(self: Any) -> tuple[Any, ...]:
    return tuple(self)


_METHODS = {
    "_make": classmethod(_make),
    "_replace": _replace,
    "__replace__": _replace,
    "__repr__": _represented,
    "_asdict": _as_dict,
    "__getnewargs__": _new_arguments,
}
"""`__replace__` is 3.13's"""
