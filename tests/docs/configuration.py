"""The tables of docs/configuration.md from the code; `python -m tests.docs.configuration` writes them anew."""

import re
from collections import Counter
from collections.abc import Iterable

from furiosa_npu.agent.metrics import Histogram, Page
from furiosa_npu.agent.options import Option, Value
from furiosa_npu.agent.settings import Program
from furiosa_npu.cdi_command.settings import PROGRAM as CDI
from furiosa_npu.device_plugin import plugin_metrics
from furiosa_npu.device_plugin.settings import PROGRAM as PLUGIN
from furiosa_npu.dra_driver import driver_metrics
from furiosa_npu.dra_driver.settings import PROGRAM as DRA_DRIVER
from furiosa_npu.node_labeller import pages as labeller_pages
from furiosa_npu.node_labeller.settings import PROGRAM as LABELLER
from furiosa_npu.watch.card_metrics import WatchFigures
from tests.docs.markdown import REPOSITORY

DOCUMENT = REPOSITORY / "docs/configuration.md"

NOTHING = WatchFigures(None, 0)

Table = list[list[str]]


def option_tables() -> dict[str, Table]:
    """Rows by section: what both agents have, what each has alone, and what the command has."""
    of_plugin = {option.name for option in PLUGIN.options}
    shared = [option.name for option in PLUGIN.options if option.name in {other.name for other in LABELLER.options}]
    return {
        "All agents": _options(option for option in PLUGIN.options if option.name in shared),
        PLUGIN.name: _options(option for option in PLUGIN.options if option.name not in shared),
        DRA_DRIVER.name: _options(option for option in DRA_DRIVER.options if option.name not in of_plugin),
        LABELLER.name: _options(option for option in LABELLER.options if option.name not in shared),
        CDI.name: _options(CDI.options),
    }


def metric_tables() -> dict[str, Table]:
    """Rows by the line that introduces them."""
    condition = labeller_pages.Condition(None, None, 0, 60, None, None, Counter())
    return {
        "`/metrics` of the plugin:": _metrics(plugin_metrics.page({}, {}, plugin_metrics.Counts(()), {}, NOTHING)),
        "`/metrics` of the DRA driver:": _metrics(driver_metrics.page({}, {}, driver_metrics.Counts(), 0, NOTHING)),
        "`/metrics` of the labeller:": _parsed_metrics(labeller_pages.metrics(condition)),
    }


def _options(options: Iterable[Option]) -> Table:
    return [
        [
            f"`--{option.name}`",
            f"`{option.placeholder}`".replace("|", "`, `") + (" (repeatable)" if option.kind == "list" else ""),
            _shown(option),
            ", ".join(f"`{name}`" for name in option.env),
            f"`{option.key}`",
            option.help,
        ]
        for option in options
    ]


def _shown(option: Option) -> str:
    if option.name == "listen-address":
        return ", ".join(
            f"{program.name.rpartition('-')[2]} `{_default(program)}`" for program in (PLUGIN, LABELLER, DRA_DRIVER)
        )
    if isinstance(option.default, bool):
        return "`on`" if option.default else "`off`"
    return "" if option.default in (None, ()) else f"`{option.default}`"


def _default(program: Program) -> Value:
    return next(option.default for option in program.options if option.name == "listen-address")


def _metrics(page: Page) -> Table:
    kinds = ["histogram" if isinstance(metric, Histogram) else metric.kind for metric in page]
    return [[f"`{metric.name}`", kind, metric.help] for metric, kind in zip(page, kinds, strict=True)]


def _parsed_metrics(text: str) -> Table:
    """From the text that is served: its HELP and TYPE lines."""
    helps = re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE)
    kinds = dict(re.findall(r"^# TYPE (\S+) (.*)$", text, re.MULTILINE))
    return [[f"`{name}`", kinds[name], words] for name, words in helps]


def rendered(document: str) -> str:
    """The document with the rows of its tables from the code."""
    for heading, rows in (*option_tables().items(), *metric_tables().items()):
        marker = heading if heading.startswith("`") else f"## {heading}"
        before, found, after = document.partition(f"{marker}\n")
        table = re.match(r"(\n\|.*\n\|[-|]+\n)((?:\|.*\n)*)", after)
        if not found or table is None:
            raise ValueError(f"{DOCUMENT}: found no table after {marker!r}")
        lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        document = before + found + table[1] + lines + after[table.end() :]
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
