"""What the chart makes for the Prometheus Operator and for Grafana's sidecar."""

import copy
import json
from typing import Any

import pytest
import yaml

from tests.helm.prometheus_operator import complaints
from tests.helm.rendering import MONITORING, NEWEST, objects, template

ALL = "--set=monitoring.podMonitor=true,monitoring.prometheusRule=true,monitoring.dashboard=true"


def made(*options: str) -> dict[str, dict[str, Any]]:
    """By kind."""
    found = objects(template(*NEWEST, *options, "--namespace=npus"))
    return {one["kind"]: one for one in found if one["kind"] in ("PodMonitor", "PrometheusRule", "ConfigMap")}


def test_nothing_of_it_is_made_unless_it_is_asked_for() -> None:
    """A cluster without the operator knows none of the kinds; values of an older version will do."""
    assert made() == made("--set=monitoring=null") == {}
    assert made("--set=monitoring.podMonitor=true").keys() == {"PodMonitor"}


def test_the_rules_are_those_of_the_file() -> None:
    """Each of them, as Prometheus reads it."""
    assert made(ALL)["PrometheusRule"]["spec"] == yaml.safe_load((MONITORING / "alerts.yaml").read_text())


def test_nobody_is_missed_where_a_family_is_left_out() -> None:
    """The labeller counts all families; the alert asks for those that the chart has agents for, and nothing else
    differs."""
    wanted = yaml.safe_load((MONITORING / "alerts.yaml").read_text())
    (rule,) = [
        rule for group in wanted["groups"] for rule in group["rules"] if rule["alert"] == "FuriosaNPUNothingHandsOut"
    ]
    rule["expr"] = (
        'sum by (node) (furiosa_npu_labeller_cards{family=~"renegade"}) > 0 '
        'unless on (node) up{job=~"furiosa-npu-(plugin|dra-driver).*"}'
    )
    assert made(ALL, "--set=families={renegade}")["PrometheusRule"]["spec"] == wanted


def test_the_dashboard_is_the_file() -> None:
    """Byte by byte, with the label that Grafana's chart looks for."""
    found = made(ALL)["ConfigMap"]
    assert found["data"] == {"furiosa-npu.json": (MONITORING / "dashboard.json").read_text()}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_targets_are_those_of_the_scrape_job() -> None:
    """Same pods, same interval, same labels; the operator's own namespace, pod and container go."""
    (job,) = yaml.safe_load((MONITORING / "scrape.yaml").read_text())["scrape_configs"]
    keep, running, *labels = job["relabel_configs"]
    assert (keep["regex"], running["action"]) == ("furiosa-npu;http", "drop")
    assert made(ALL)["PodMonitor"]["spec"] == {
        "selector": {"matchLabels": {"app.kubernetes.io/part-of": "furiosa-npu"}},
        "podMetricsEndpoints": [
            {
                "port": "http",
                "interval": job["scrape_interval"],
                "relabelings": [
                    *({"sourceLabels": one["source_labels"], "targetLabel": one["target_label"]} for one in labels),
                    {"action": "labeldrop", "regex": "namespace|pod|container"},
                ],
            }
        ],
    }


def test_both_have_the_labels_that_a_prometheus_selects_by() -> None:
    """In the agents' namespace."""
    found = made(ALL, "--set=monitoring.labels.release=mine")
    for kind in ("PodMonitor", "PrometheusRule"):
        assert found[kind]["metadata"] == {
            "name": "furiosa-npu",
            "namespace": "npus",
            "labels": {"app.kubernetes.io/part-of": "furiosa-npu", "release": "mine"},
        }


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule"])
def test_the_operators_definitions_take_them(kind: str) -> None:
    """And no object with a field that they do not know."""
    one = made(ALL)[kind]
    assert complaints(one) == []
    wrong = copy.deepcopy(one)
    wrong["spec"]["slip"] = json.dumps(1)
    (said,) = complaints(wrong)
    assert "'slip' was unexpected" in said
