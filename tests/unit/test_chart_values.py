"""The chart's values: what their schema takes is what the agents take, and nothing else."""

import copy
import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from furiosa_npu.cluster.taints import is_taint_key
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.hardware.reading import FAMILIES
from furiosa_npu.health.signs import SIGNS, is_setting
from furiosa_npu.node_labeller.labels import GROUPS
from furiosa_npu.node_labeller.settings import PUBLISH
from tests.unit.manifests import REPOSITORY

CHART = REPOSITORY / "kubernetes/charts/furiosa-npu"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
HEALTH: dict[str, Any] = SCHEMA["properties"]["health"]["properties"]
OPTIONS = {option.key: option for option in DRA_DRIVER.options}


def with_value(path: str, value: object) -> dict[str, Any]:
    """The defaults with one value, by its path with dots, as another."""
    values = copy.deepcopy(VALUES)
    *folders, name = path.split(".")
    place = values
    for folder in folders:
        place = place.setdefault(folder, {})
    place[name] = value
    return values


def is_taken(values: object) -> bool:
    return bool(Draft7Validator(SCHEMA).is_valid(values))


def agent_takes(setting: str) -> bool:
    try:
        return is_setting(setting)
    except ValueError:
        return False


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    """Each value of values.yaml is known to it, and the other way round."""
    Draft7Validator.check_schema(SCHEMA)
    assert is_taken(VALUES)
    assert SCHEMA["properties"].keys() - {"global"} == VALUES.keys()


def test_no_object_takes_what_it_does_not_know() -> None:
    """A name with a slip is refused wherever it stands."""

    def walk(part: object) -> None:
        if isinstance(part, dict):
            if "object" in part.get("type", ()) and part != SCHEMA["properties"]["global"]:
                assert part["additionalProperties"] is False, part
            for inner in part.values():
                walk(inner)

    walk(SCHEMA)


@pytest.mark.parametrize("key", [key for key in HEALTH if key != "signs"])
def test_a_health_bound_is_the_options(key: str) -> None:
    """Of both planes' agents: range or choices."""
    option = OPTIONS[key]
    assert option in PLUGIN.options
    expected: dict[str, object] = {"enum": list(option.choices)}
    if option.kind == "int":
        expected = {"type": "integer", "minimum": option.minimum, "maximum": option.maximum}
    assert HEALTH[key] == expected


def test_the_signs_are_the_agents() -> None:
    """All of them, and of each the words and numbers that the agents take, as Helm writes them."""
    assert list(HEALTH["signs"]["properties"]) == [sign.name for sign in SIGNS]
    values = ("on", "off", 0, 0.001, 0.09, 0.1, 0.5, 1, 2.5, 9, 10, 10.1, 11, 370, 1e6, 1e9, 1.1e9, -1)
    for sign in SIGNS:
        taken = [value for value in values if is_taken(with_value(f"health.signs.{sign.name}", value))]
        assert taken == [value for value in values if agent_takes(f"{sign.name}={value}")], sign
        truths = [value for value in (True, False) if is_taken(with_value(f"health.signs.{sign.name}", value))]
        assert truths == ([True] if sign.never_off else [True, False])


def test_choices_are_the_agents() -> None:
    """Families, effects of the failed card's taint, groups of labels and where these are put."""
    assert SCHEMA["properties"]["families"]["items"] == {"enum": list(FAMILIES)}
    taint = SCHEMA["properties"]["dra"]["properties"]["failedTaint"]
    assert taint == {"enum": list(OPTIONS["failedTaint"].choices)}
    assert SCHEMA["properties"]["labels"]["items"] == {"enum": [*GROUPS, "all"]}
    assert SCHEMA["properties"]["publish"] == {"enum": list(PUBLISH)}


@pytest.mark.parametrize(
    "key",
    [
        *("npu.furiosa.ai/not-ready", "example.com/A.b_c-9", "x/y", f"{'a' * 253}/{'b' * 63}", "k8s.io/x"),
        *("not-ready", "/x", "example.com/", "a/b/c", "Example.com/x", "-a.com/x", "a..b/x"),
        *(f"{'a' * 254}/b", f"a/{'b' * 64}", "example.com/-x", "example.com/x'", "example.com/x y"),
        *("node.kubernetes.io/not-ready", "kubernetes.io/x", "notkubernetes.io/x"),
        *("startup-taint.cluster-autoscaler.kubernetes.io/npu", "x.cluster-autoscaler.kubernetes.io/npu"),
    ],
)
def test_a_startup_taint_is_one_that_the_agents_take(key: str) -> None:
    """Character by character; and none is none."""
    assert is_taken(with_value("startupTaint", key)) == is_taint_key(key)
    assert is_taken(with_value("startupTaint", ""))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("plane", "both"), ("palne", "dra"), ("families", []), ("families", ["warboy", "warboy"])),
        *(("families", ["gpu"]), ("namespace", "Kube"), ("image.digest", "5"), ("image.tag", "a b")),
        *(("image.pullPolicy", "Sometimes"), ("health.cycleSeconds", 0), ("health.signs.heat", 1)),
        *(("tolerations", [{"operator": "Maybe"}]), ("resources.plugin.limit", {}), ("seeHolders", "yes")),
        *(("extraArgs.plugin", ["-x"]), ("simulatedRoot", "run"), ("dra.retire", "on")),
        *(("labels", "all"), ("labels", ["count", "count"]), ("labels", ["temperature"]), ("publish", "nfd")),
        *(("monitoring.labels", {"release": 1}), ("monitoring.labels", {"release": "a b"}), ("monitoring.rules", True)),
    ],
)
def test_a_wrong_value_is_refused(path: str, value: object) -> None:
    """Before anything is rendered."""
    assert not is_taken(with_value(path, value))
