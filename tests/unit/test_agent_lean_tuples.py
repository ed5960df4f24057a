"""Named tuples that share their methods, against those that do not."""

import collections
import copy
from collections.abc import Callable
from typing import Any

import pytest

from furiosa_npu.agent.lean_tuples import namedtuple

Plain: Any = collections.namedtuple("Plain", ["name", "count", "kept"], defaults=[1, ()])
Lean: Any = namedtuple("Plain", ["name", "count", "kept"], defaults=[1, ()])

USES: list[Callable[[Any], Any]] = [
    lambda made: repr(made("a")),
    lambda made: tuple(made("a", kept=[2])),
    lambda made: tuple(made._make("abc")),
    lambda made: tuple(made("a")._replace(count=3)),
    lambda made: made("a")._asdict(),
    lambda made: made("a").__getnewargs__(),
    lambda made: made("a") == ("a", 1, ()),
    lambda made: (made._fields, made._field_defaults, made.__match_args__, made.__slots__),
    lambda made: (made.__name__, made.__module__),
    lambda made: made("a").count,
    lambda made: tuple(copy.copy(made("a"))),
]

WRONG_USES: list[Callable[[Any], Any]] = [
    lambda made: made(),
    lambda made: made(nothing=1),
    lambda made: made._make("ab"),
]


@pytest.mark.parametrize("use", USES)
def test_it_does_what_the_other_does(use: Callable[[Any], Any]) -> None:
    """Made, read, changed, shown."""
    assert use(Lean) == use(Plain)


@pytest.mark.parametrize("use", WRONG_USES)
def test_it_refuses_what_the_other_refuses(use: Callable[[Any], Any]) -> None:
    """With the same words."""
    with pytest.raises(TypeError) as plain:
        use(Plain)
    with pytest.raises(TypeError) as lean:
        use(Lean)
    assert str(lean.value) == str(plain.value)


def test_an_unknown_field_is_not_replaced() -> None:
    """As with the other, whose error's kind goes by the version of Python."""
    both: list[Any] = [Plain("a"), Lean("a")]
    for made in both:
        with pytest.raises((TypeError, ValueError), match=r"Got unexpected field names: \['nothing'\]"):
            made._replace(nothing=1)


def test_classes_share_their_methods() -> None:
    """That is what it is for."""
    other = namedtuple("Other", "x y")
    for name in ("_replace", "__repr__", "_asdict", "__getnewargs__"):
        assert other.__dict__[name] is Lean.__dict__[name]
    assert (other(1, 2)._replace(y=3), repr(other(1, 2))) == ((1, 3), "Other(x=1, y=2)")
