"""YAML with the plain scalars of YAML 1.2 (core schema): `0000:01:00.0` is text, not a number in base sixty.

A key that stands twice in a mapping is an error. https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re

import yaml

from furiosa_npu.simulator.card import ScenarioError, say


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  (the base class's name)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, "a key that stands twice" if key else "a key that is no text", key_node.start_mark
                )
            seen.add(key)
        return dict(super().construct_mapping(node, deep))


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"\.(?=[inIN])", "", str(loader.construct_scalar(node))))


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


def load(text: str, source: str) -> object:
    """The one document of a YAML text. Raises `ScenarioError` with line and column where it is no YAML."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader with fewer types)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}: line {mark.line + 1}, column {mark.column + 1}" if mark else source
        raise ScenarioError(place, error.problem or "something else", "YAML, each key once") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ScenarioError(source, say(str(error)), "YAML") from error
