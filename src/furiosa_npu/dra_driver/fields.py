"""JSON objects of others, read strictly: what is missing or of the wrong kind is named with its path. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

SHOWN_CHARACTERS = 60


class FieldError(ValueError):
    """The message names the field, what was found there and what was expected."""


class Fields(NamedTuple):
    """A JSON object and the path at which it stands, empty for a whole document."""

    path: str
    content: Mapping[str, Any]

    @classmethod
    def of(cls, path: str, found: object) -> "Fields":
        """Raises FieldError where `found` is no object."""
        if not isinstance(found, dict):
            raise wrong(path or "the document", found, "an object")
        return cls(path, found)

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str) -> str:
        """A text that is not empty."""
        found = self.content.get(key)
        if not isinstance(found, str) or not found:
            raise wrong(self.at(key), found, "a text")
        return found

    def optional_text(self, key: str) -> str | None:
        return None if self.content.get(key) is None else self.text(key)

    def flag(self, key: str) -> bool:
        """Absent is False."""
        found = self.content.get(key)
        if found is not None and not isinstance(found, bool):
            raise wrong(self.at(key), found, "true or false")
        return bool(found)

    def number(self, key: str) -> int:
        """A whole number from 0."""
        found = self.content.get(key)
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise wrong(self.at(key), found, "a whole number from 0")
        return found

    def inner(self, key: str) -> "Fields":
        """An object."""
        return Fields.of(self.at(key), self.content.get(key))

    def optional_inner(self, key: str) -> "Fields | None":
        return None if self.content.get(key) is None else self.inner(key)

    def entries(self, key: str) -> tuple[Any, ...]:
        """Absent is empty, as the API leaves out empty lists."""
        found = self.content.get(key)
        if found is None:
            return ()
        if not isinstance(found, list):
            raise wrong(self.at(key), found, "a list")
        return tuple(found)

    def objects(self, key: str) -> "tuple[Fields, ...]":
        return tuple(Fields.of(f"{self.at(key)}[{number}]", found) for number, found in enumerate(self.entries(key)))

    def texts(self, key: str) -> tuple[str, ...]:
        for number, found in enumerate(self.entries(key)):
            if not isinstance(found, str) or not found:
                raise wrong(f"{self.at(key)}[{number}]", found, "a text")
        return self.entries(key)

    def only(self, *known: str) -> None:
        """Raises FieldError for a key that is none of these."""
        for key in self.content:
            if key not in known:
                raise FieldError(f"{self.at(str(key)[:SHOWN_CHARACTERS])}: unknown key, expected {', '.join(known)}")


def wrong(path: str, found: object, expected: str) -> FieldError:
    """`path: found ..., expected ...`"""
    shown = "nothing" if found is None else repr(found)
    if len(shown) > SHOWN_CHARACTERS:
        shown = shown[: SHOWN_CHARACTERS - 3] + "..."
    return FieldError(f"{path}: found {shown}, expected {expected}")
