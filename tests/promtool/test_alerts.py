"""`promtool test rules` on the alerting rules: what fires, when, alone, and what people then read."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from furiosa_npu.hardware.reading import FAMILIES
from tests.docs.monitoring import ALERTS, rules
from tests.promtool.alert_cases import ALWAYS, CASES, FAULTS, PEACE, REFUSALS, REFUSED_CLAIMS, Case

RULES = {rule["alert"]: rule for rule in rules()}


STEP_SECONDS = 15
"""Between two evaluations of the rules: mostly they fall between two samples."""


def judged(folder: Path, series: Mapping[str, str], expected: Mapping[int, Mapping[str, Any]]) -> str:
    """What promtool has to complain of. `expected`: by second, each alert that fires then; all others do not."""
    samples = [
        {"series": name, "values": values if " " in values else f"{values}{ALWAYS}"} for name, values in series.items()
    ]
    tests = [
        {"eval_time": f"{second}s", "alertname": alert, "exp_alerts": [firing[alert]] if alert in firing else []}
        for second, firing in expected.items()
        for alert in RULES
    ]
    whole = {"interval": "1m", "input_series": samples, "alert_rule_test": tests}
    file = folder / "test.json"  # JSON is YAML
    rules = {"rule_files": [str(ALERTS)], "evaluation_interval": f"{STEP_SECONDS}s"}
    file.write_text(json.dumps({**rules, "tests": [whole]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(case: Case) -> dict[str, Any]:
    """The alert with the labels filled in where its texts name them."""
    rule = RULES[case.alert]
    texts = {
        name: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: case.labels[found[1]], template)
        for name, template in rule["annotations"].items()
    }
    return {"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": texts}


@pytest.mark.parametrize("case", CASES, ids=[case.alert for case in CASES])
def test_an_alert_fires_in_its_time_and_alone(case: Case, tmp_path: Path) -> None:
    """Not a quarter of a minute sooner; its summary and description name what they are about."""
    series = {name: values for name, values in {**PEACE, **case.changed}.items() if values is not None}
    seconds = 60 * case.minutes
    expected = {seconds - STEP_SECONDS: {}, seconds: {case.alert: firing(case)}}
    assert judged(tmp_path, series, expected) == ""


def test_in_peace_nothing_fires(tmp_path: Path) -> None:
    """For two hours."""
    assert judged(tmp_path, PEACE, {60 * minute: {} for minute in (0, 1, 30, 60, 120)}) == ""


@pytest.mark.parametrize("values", ["0x10 1x10 2x30", "0 2x30"])
@pytest.mark.parametrize("series", [FAULTS, REFUSALS, REFUSED_CLAIMS])
def test_twice_is_not_often(series: str, values: str, tmp_path: Path) -> None:
    """Nor is it soon after the agent's start, where Prometheus reckons the most from the fewest samples."""
    seconds = range(0, 50 * 60, STEP_SECONDS)
    assert judged(tmp_path, {**PEACE, series: values}, {second: {} for second in seconds}) == ""


def test_every_alert_has_a_case() -> None:
    """And no case is of an alert that is no more."""
    assert {case.alert for case in CASES} == set(RULES)


def test_the_rule_for_agents_that_are_missing_knows_every_family() -> None:
    """The chart puts those that it has agents for in their place."""
    assert f'{{family=~"{"|".join(FAMILIES)}"}}' in RULES["FuriosaNPUNothingHandsOut"]["expr"]
