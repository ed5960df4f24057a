"""The Grafana dashboard of the agents' metrics; `python -m monitoring.dashboard` writes it anew.

Of Grafana 11.6's schema, which later ones read. Metrics carry `node`, as `kubernetes/monitoring/scrape.yaml` has it.
"""

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, VisibilityMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from furiosa_npu.health.verdict import State

FILE = Path(__file__).parents[1] / "kubernetes/monitoring/dashboard.json"

COLORS: dict[State, str] = {
    "idle": "green",
    "allocated": "blue",
    "occupied": "purple",
    "starting": "light-orange",
    "probation": "yellow",
    "disabled": "text",
    "unreadable": "dark-orange",
    "failed": "red",
    "gone": "dark-red",
}
"""Every state, in the order of its number on the timeline."""

_ON = 'node=~"$node"'
_WHOLE = f'{_ON}, uuid!~".+-pe[0-9-]+"'
"""of the DRA driver's units the cards, not their parts"""
_SOURCE = models.DataSourceRef("prometheus", "${datasource}")
_WIDTH = 24

Panel = Builder[models.Panel]


def text() -> str:
    """The dashboard as Grafana imports it."""
    return JSONEncoder(sort_keys=True, indent=1).encode(build()) + "\n"


def build() -> models.Dashboard:
    whole = (
        dashboard.Dashboard("FuriosaAI NPUs")
        .uid("furiosa-npu")
        .description("States of the cards, who holds them, what the kubelet was answered, and how the agents do.")
        .tags(["furiosa-npu"])
        .time("now-6h", "now")
        .refresh("30s")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("node")
            .label("Node")
            .datasource(_SOURCE)
            .query("label_values(furiosa_npu_stuck_readers, node)")
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(models.VariableOption(text="All", value="$__all"))
        )
    )
    for title, panels in (("Cards", _cards()), ("Hand-over", _hand_over()), ("Agents", _agents())):
        whole.with_row(dashboard.Row(title))
        for panel in panels:
            whole.with_panel(panel)
    return whole.build()


def _cards() -> tuple[Panel, ...]:
    return (
        _number("NPUs by state", _query(f"count by (state) (furiosa_npu_state{{{_WHOLE}}})", "{{state}}")),
        _states(),
        _table(
            "NPUs that nobody gets",
            "max by (node, family, name, uuid, state, reason) "
            f'(furiosa_npu_state{{{_WHOLE}, state!~"idle|allocated"}})',
        ),
        _table(
            "Who holds what",
            f"max by (node, uuid, namespace, pod, container, resource) (furiosa_npu_allocation_info{{{_ON}}})",
        ),
        _lines(
            "Temperature, the warmest sensor",
            _query(f"max by (node, name) (furiosa_npu_temperature_celsius{{{_WHOLE}}})", "{{node}} {{name}}"),
            unit="celsius",
        ),
        _lines(
            "Came to a state, in the hour before",
            _query(f"sum by (state) (increase(furiosa_npu_state_transitions_total{{{_WHOLE}}}[1h]))", "{{state}}"),
        ),
        _lines(
            "Warnings",
            _query(f"max by (node, name, reason) (furiosa_npu_warning{{{_WHOLE}}})", "{{node}} {{name}} {{reason}}"),
        ),
    )


def _hand_over() -> tuple[Panel, ...]:
    def rate(metric: str, by: str) -> str:
        return f"sum by ({by}) (rate({metric}{{{_ON}}}[$__rate_interval]))"

    def quantile(share: float, metric: str) -> prometheus.Dataquery:
        expression = f"histogram_quantile({share}, {rate(f'{metric}_bucket', 'le')})"
        return _query(expression, f"p{share * 100:g}")

    allocate, prepare = "furiosa_npu_allocate_duration_seconds", "furiosa_npu_prepare_duration_seconds"
    return (
        _lines(
            "Answers to the kubelet, a second",
            _query(rate("furiosa_npu_answers_total", "call, outcome"), "{{call}} {{outcome}}"),
            _query(rate("furiosa_npu_claim_answers_total", "call, outcome"), "{{call}} {{outcome}}"),
        ),
        _lines("Allocate took", quantile(0.5, allocate), quantile(0.99, allocate), unit="s"),
        _lines("NodePrepareResources took", quantile(0.5, prepare), quantile(0.99, prepare), unit="s"),
    )


def _agents() -> tuple[Panel, ...]:
    labels = f"min by (node) (furiosa_npu_labeller_labels_as_wanted{{{_ON}}})"
    writes = f"sum by (outcome) (rate(furiosa_npu_labeller_label_writes_total{{{_ON}}}[$__rate_interval]))"
    scanned = f"time() - max by (node) (furiosa_npu_labeller_last_scan_timestamp_seconds{{{_ON}}})"
    return (
        _lines("Answer to Prometheus", _query(f'sum by (job) (up{{job=~"furiosa-npu-.+", {_ON}}})', "{{job}}")),
        _lines(
            "Parts that do not work",
            _query(f"max by (node, job, part) (furiosa_npu_trouble{{{_ON}}})", "{{node}} {{job}} {{part}}"),
            _query(f"max by (node, job) (furiosa_npu_api_writes_failing{{{_ON}}}) > 0", "{{node}} {{job}} API writes"),
        ),
        _lines(
            "Registrations with the kubelet, in the hour before",
            _query(f"sum by (node) (increase(furiosa_npu_registrations_total{{{_ON}}}[1h]))", "{{node}}"),
        ),
        _lines(
            "Seconds since the cards were looked at",
            _query(f"min by (node) (furiosa_npu_last_scan_age_seconds{{{_ON}}})", "{{node}}"),
            unit="s",
        ),
        _lines(
            "Readers that a driver keeps waiting",
            _query(f"max by (node) (furiosa_npu_stuck_readers{{{_ON}}})", "{{node}}"),
        ),
        _lines("Seconds since the labeller looked", _query(scanned, "{{node}}"), unit="s"),
        _lines("Label writes, a second", _query(writes, "{{outcome}}")),
        _lines("Labels as wanted", _query(labels, "{{node}}")),
        _table(
            "NPUs that the labellers see",
            f"sum by (node, family, hwtype) (furiosa_npu_labeller_cards{{{_ON}}})",
        ),
    )


def _states() -> Panel:
    """One line a card: each state has a number, which Grafana shows as its name and colour."""
    numbered = (
        f'max by (node, name) (furiosa_npu_state{{{_WHOLE}, state="{state}"}}) * {number}'
        for number, state in enumerate(COLORS)
    )
    names = {
        str(number): models.ValueMappingResult(text=state, color=color, index=number)
        for number, (state, color) in enumerate(COLORS.items())
    }
    return (
        statetimeline.Panel()
        .title("State of each NPU")
        .datasource(_SOURCE)
        .with_target(_query(" or ".join(numbered), "{{node}} {{name}}"))
        .mappings([models.ValueMap(names)])
        .show_value(VisibilityMode.AUTO)
        .fill_opacity(80)
        .span(_WIDTH * 3 // 4)
    )


def _query(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(expression).legend_format(legend).range()


def _lines(title: str, *queries: prometheus.Dataquery, unit: str = "short") -> Panel:
    panel = timeseries.Panel().title(title).datasource(_SOURCE).unit(unit).min(0).span(_WIDTH // 3)
    for query in queries:
        panel.with_target(query)
    return panel


def _number(title: str, query: prometheus.Dataquery) -> Panel:
    return (
        stat.Panel()
        .title(title)
        .datasource(_SOURCE)
        .with_target(query)
        .color_mode(BigValueColorMode.NONE)
        .graph_mode(BigValueGraphMode.NONE)
        .span(_WIDTH // 4)
    )


def _table(title: str, expression: str) -> Panel:
    """The labels of each series as they are now."""
    return (
        table.Panel()
        .title(title)
        .datasource(_SOURCE)
        .with_target(prometheus.Dataquery().expr(expression).instant().format(PromQueryFormat.TABLE))
        .with_transformation(
            models.DataTransformerConfig("organize", options={"excludeByName": {"Time": True, "Value": True}})
        )
        .span(_WIDTH // 3)
    )


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
