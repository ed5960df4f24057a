"""Dashboard, rules and jobs in kubernetes/monitoring are of one mind with the code, the manifests and the documents."""

import json
import re
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest
import yaml
from monitoring import dashboard

from furiosa_npu.health.verdict import State
from tests.docs.configuration import metric_tables
from tests.docs.markdown import ENGLISH, KOREAN, REPOSITORY
from tests.docs.monitoring import DOCUMENT, rendered, rules
from tests.unit.manifests import DEPLOYMENTS

SCRAPE = REPOSITORY / "kubernetes/monitoring/scrape.yaml"
METRICS = {row[0].strip("`") for table in metric_tables().values() for row in table}


def unknown(expression: str) -> set[str]:
    """Names of metrics that no agent has."""
    named = re.findall(r"\bfuriosa_npu_\w+", expression)
    return {name for name in named if re.sub("_bucket$", "", name) not in METRICS}


def test_the_dashboard_is_the_codes() -> None:
    """`python -m monitoring.dashboard` writes it anew."""
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.text()


def test_the_dashboard_has_every_state_of_a_card() -> None:
    """In a colour of its own."""
    assert (set(dashboard.COLORS), len(set(dashboard.COLORS.values()))) == (set(get_args(State)), len(get_args(State)))


def test_the_dashboard_shows_every_metric() -> None:
    """Of each agent; but the version, which is for queries by hand, and whether the labeller polls."""
    panels = json.loads(dashboard.text())["panels"]
    shown = " ".join(target["expr"] for panel in panels for target in panel.get("targets", ()))
    assert unknown(shown) == set()
    hidden = {
        "furiosa_npu_labeller_build_info",
        "furiosa_npu_labeller_polling",
        "furiosa_npu_labeller_last_scan_failed",
    }
    assert {name for name in METRICS if not re.search(rf"\b{name}(_bucket)?\b", shown)} == hidden


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_a_rule_goes_by_metrics_that_there_are_and_says_what_to_do_next(rule: dict[str, dict[str, str]]) -> None:
    """In a document that is there; a number after it is that of a heading."""
    assert unknown(str(rule["expr"])) == set()
    description = rule["annotations"]["description"]
    assert "docs/why-pending.md" in description
    for name, number in re.findall(r"(docs/[\w-]+\.md)(?:, (\d))?", description):
        document = (REPOSITORY / name).read_text(encoding="utf-8")
        assert not number or f"\n## {number}. " in document


def test_the_table_of_alerts_is_the_rules() -> None:
    """`python -m tests.docs.monitoring` writes it anew."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == rendered(document)


def test_every_agents_pods_are_targets() -> None:
    """They have the label and the port that the job keeps, and each DaemonSet a name that the rules know as a job."""
    (job,) = yaml.safe_load(SCRAPE.read_text())["scrape_configs"]
    keep = next(step for step in job["relabel_configs"] if step.get("action") == "keep")
    manifests = [each for file in sorted(DEPLOYMENTS.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())]
    sets = [each for each in manifests if each.get("kind") == "DaemonSet"]
    kept = []
    for each in sets:
        template = each["spec"]["template"]
        (container,) = template["spec"]["containers"]
        labels = template["metadata"]["labels"]
        ports = [port["name"] for port in container["ports"]]
        assert labels["app.kubernetes.io/name"] == each["metadata"]["name"]
        kept += [f"{labels['app.kubernetes.io/part-of']};{port}" for port in ports]
    assert kept == [keep["regex"]] * len(sets)
    assert sorted(each["metadata"]["name"] for each in sets) == [
        "furiosa-npu-dra-driver",
        "furiosa-npu-labeller",
        "furiosa-npu-plugin",
        "furiosa-npu-plugin-renegade",
    ]


@pytest.mark.parametrize("readme", [ENGLISH, KOREAN], ids=["English", "Korean"])
def test_a_readme_shows_the_picture_and_the_command_that_draws_it(readme: Path) -> None:
    """Both name the file that is there."""
    text = readme.read_text(encoding="utf-8")
    (picture,) = re.findall(r"^!\[.+\]\((\S+)\)$", text, re.MULTILINE)
    assert f"`python -m tests.cluster.picture {picture}`" in text
    assert ElementTree.parse(REPOSITORY / picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - ours
