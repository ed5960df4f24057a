"""Prometheus' text exposition format 0.0.4 (prometheus.io, exposition_formats). Values in, text out."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias


class Metric(NamedTuple):
    """One metric with all its samples."""

    name: str
    """a counter's ends with _total, a unit stands at the end: _seconds"""
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]
    """labels and value of each"""


class Distribution(NamedTuple):
    """How many observations fell below each bound. Immutable: `observed` gives the next."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    """of each bucket alone, the last one for what is over all bounds"""
    total: float = 0.0
    """the observations' sum"""

    def observed(self, value: float) -> "Distribution":
        place = next((place for place, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))
        counts = tuple(count + (number == place) for number, count in enumerate(self.counts))
        return Distribution(self.bounds, counts, self.total + value)


def empty_distribution(bounds: tuple[float, ...]) -> Distribution:
    """Nothing observed yet."""
    return Distribution(bounds, (0,) * (len(bounds) + 1))


class Histogram(NamedTuple):
    """A metric of distributions."""

    name: str
    """with its unit: _seconds"""
    help: str
    samples: tuple[tuple[Mapping[str, str], Distribution], ...]


Page: TypeAlias = tuple[Metric | Histogram, ...]


def render_metrics(metrics: Page) -> str:
    """The whole page; a metric without samples still says what it is."""
    lines: list[str] = []
    for metric in metrics:
        kind = "histogram" if isinstance(metric, Histogram) else metric.kind
        help_text = metric.help.replace("\\", "\\\\").replace("\n", "\\n")
        lines += [f"# HELP {metric.name} {help_text}", f"# TYPE {metric.name} {kind}"]
        if isinstance(metric, Histogram):
            for labels, distribution in metric.samples:
                lines += _distribution(metric.name, labels, distribution)
        else:
            lines += [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples]
    return "\n".join([*lines, ""])


def _distribution(name: str, labels: Mapping[str, str], distribution: Distribution) -> list[str]:
    lines, below = [], 0
    for bound, count in zip((*distribution.bounds, None), distribution.counts, strict=True):
        below += count
        told = "+Inf" if bound is None else _number(bound)
        lines.append(f"{name}_bucket{_labels({**labels, 'le': told})} {below}")
    return [
        *lines,
        f"{name}_sum{_labels(labels)} {_number(distribution.total)}",
        f"{name}_count{_labels(labels)} {below}",
    ]


def _labels(labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{{{inside}}}" if inside else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
