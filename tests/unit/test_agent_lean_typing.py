"""The words of `typing` that agents run, against `typing` itself."""

import subprocess
import sys

import pytest

LEAN = "from furiosa_npu.agent.lean_typing import put_lean_typing\nput_lean_typing()\n"
CLASSES = """
import sys
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, cast

T = TypeVar("T", bound=int)
Fate = Literal["written", "refused"]

class Card(NamedTuple):
    '''A card.'''
    name: str
    pes: tuple[int, ...] = ()
    fate: Fate | None = None
    told: "Callable[[T], Any] | None" = None

    def __str__(self) -> str:
        return f"{self.name}, {self.count}"

    @property
    def count(self) -> int:
        return len(self.pes)

    @classmethod
    def of(cls, name: str) -> "Card":
        return cls(name, (1, 2))

class Found(NamedTuple, Generic[T]):
    value: T
    other: None | Literal["a"] = None

class Watch(Protocol):
    def look(self) -> Any | None: ...

class Eye(Watch):
    def look(self) -> int:
        return 1

class Box(Generic[T]):
    held: "Box[T] | None" = None
"""
USES = [
    "Card('npu0')",
    "str(Card.of('npu0'))",
    "Card.of('npu0')._replace(name='npu1')",
    "Card('npu0') == ('npu0', (), None, None)",
    "(Card._fields, Card._field_defaults, Card.__match_args__, Card.__doc__, Card.__module__, Card.__qualname__)",
    "list(Card.__annotations__)",
    "Card('npu0').fate",
    "Found[int](3)",
    "(Found(3).value, Found._fields, Box[int]().held)",
    "(Eye().look(), issubclass(Eye, Box))",
    "cast('str', 3)",
]


def said(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.mark.parametrize("use", USES)
def test_they_do_what_typings_do(use: str) -> None:
    """And `typing` itself is not loaded for it."""
    shown = f"\nprint({use})\n"
    loaded = "print(sys.modules['typing']._loaded)\n"
    assert said(LEAN + CLASSES + shown + loaded) == said(CLASSES + shown) + "False\n"


def test_all_else_is_typings_own() -> None:
    """Loaded in its place; classes made before stay what they are."""
    asked = "\nfrom typing import get_type_hints, NamedTuple as Real\nclass Of(Real):\n    x: int\n"
    shown = "print(get_type_hints(Of), Card.of('npu0'), Of(1), isinstance(Real, type(get_type_hints)))\n"
    assert said(LEAN + CLASSES + asked + shown) == said(CLASSES + asked + shown)


def test_a_labeller_at_work_does_without_typing() -> None:
    """All modules that it has loaded once its node is labelled."""
    work = "import sys\nimport furiosa_npu.node_labeller.command, furiosa_npu.node_labeller.agent\n"
    more = "import furiosa_npu.node_labeller.sight, furiosa_npu.node_labeller.more_labels, furiosa_npu.agent.metrics\n"
    assert said(LEAN + work + more + "print(sys.modules['typing']._loaded)\n") == "False\n"
