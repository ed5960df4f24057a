"""What happened on a node over some seconds, as SVG: bands for what something is, steps for how many there are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

WIDTH, LEFT, RIGHT = 860, 190, 24
"""in pixels: of the whole, of the names at the left, of the margin"""
LANE, GRAPH, GAP, HEAD = 26, 84, 22, 18
"""in pixels: how high a lane and a graph are, what is between sections, and a section's title"""
_TICK_SECONDS = 10

_STYLE = """
text { font: 12px sans-serif; fill: #1f2328; } text.head { font-weight: 600; } text.in { fill: #ffffff; }
line { stroke: #8c959f; stroke-width: 1; } line.mark { stroke: #cf222e; stroke-dasharray: 4 3; }
polyline { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
"""


class Band(NamedTuple):
    """From one second to another."""

    start: float
    end: float
    text: str
    color: str


class Lane(NamedTuple):
    """What became of one thing."""

    name: str
    bands: tuple[Band, ...]


class Steps(NamedTuple):
    """A number that holds until the next."""

    name: str
    color: str
    points: tuple[tuple[float, float], ...]
    """second and value, in order"""


class Section(NamedTuple):
    title: str
    rows: tuple[Lane, ...] | tuple[Steps, ...]


def lanes(
    series: Sequence[Mapping[str, Any]],
    start: float,
    name: Callable[[Mapping[str, str]], str],
    text: Callable[[Mapping[str, str]], str],
    color: Callable[[Mapping[str, str]], str],
) -> tuple[Lane, ...]:
    """Of series that are there while something is so, asked each second (`result` of query_range); `start` is 0."""
    found: dict[str, list[Band]] = {}
    for one in series:
        labels = one["metric"]
        for begin, end in _stretches([float(at) - start for at, _ in one["values"]]):
            found.setdefault(name(labels), []).append(Band(begin, end, text(labels), color(labels)))
    return tuple(Lane(key, tuple(sorted(bands))) for key, bands in sorted(found.items(), key=lambda item: min(item[1])))


def steps(series: Mapping[str, Any], start: float, name: str, color: str) -> Steps:
    """Of one series (of `result` of query_range), where it changes; `start` is 0."""
    points: list[tuple[float, float]] = []
    for at, value in series["values"]:
        if not points or points[-1][1] != float(value):
            points.append((float(at) - start, float(value)))
    return Steps(name, color, tuple(points))


def _stretches(seconds: Sequence[float]) -> list[tuple[float, float]]:
    """Of seconds in order, those that follow each other; the last one of a stretch lasts until the next."""
    found: list[tuple[float, float]] = []
    for second in seconds:
        if found and second <= found[-1][1] + 0.5:
            found[-1] = (found[-1][0], second + 1)
        else:
            found.append((second, second + 1))
    return found


def draw(sections: Sequence[Section], marks: Sequence[tuple[float, str]], seconds: float) -> str:
    """The picture; `marks` are moments with a word each."""
    sheet = _Sheet(seconds)
    sheet.y = HEAD + GAP
    top = sheet.y
    for section in sections:
        sheet.section(section)
    for second, word in marks:
        x = sheet.x(second)
        sheet.put("line", {"class": "mark", "x1": x, "x2": x, "y1": top - 8, "y2": sheet.y})
        sheet.text(x, top - 14, word, anchor="middle")
    sheet.axis()
    return sheet.svg()


class _Sheet:
    """Where the next thing goes, and what is drawn."""

    def __init__(self, seconds: float) -> None:
        self.y = 0.0
        self._seconds = seconds
        self._root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
        ElementTree.SubElement(self._root, "style").text = _STYLE

    def x(self, second: float) -> float:
        return LEFT + min(max(second / self._seconds, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)

    def put(self, tag: str, attributes: Mapping[str, float | str]) -> ElementTree.Element:
        told = {key: value if isinstance(value, str) else f"{value:g}" for key, value in attributes.items()}
        return ElementTree.SubElement(self._root, tag, told)

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> None:
        self.put("text", {"x": round(x, 1), "y": y, "text-anchor": anchor, "class": kind}).text = words

    def section(self, section: Section) -> None:
        self.text(8, self.y + 12, section.title, kind="head")
        self.y += HEAD
        graph: list[Steps] = []
        for row in section.rows:
            if isinstance(row, Lane):
                self._lane(row)
            else:
                graph.append(row)
        if graph:
            self._graph(graph)
        self.y += GAP

    def axis(self) -> None:
        self.put("line", {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": self.y, "y2": self.y})
        for second in range(0, int(self._seconds) + 1, _TICK_SECONDS):
            self.text(self.x(second), self.y + 16, f"{second} s", anchor="middle")
        self.y += 24

    def svg(self) -> str:
        self._root.set("viewBox", f"0 0 {WIDTH} {self.y:g}")
        self._root.set("width", str(WIDTH))
        ElementTree.indent(self._root, " ")
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _lane(self, lane: Lane) -> None:
        self.text(LEFT - 8, self.y + 17, lane.name, anchor="end")
        for band in lane.bands:
            x, end = self.x(band.start), self.x(band.end)
            place = {"x": round(x, 1), "y": self.y + 2, "width": round(end - x, 1), "height": LANE - 4}
            element = self.put("rect", {**place, "fill": band.color})
            ElementTree.SubElement(element, "title").text = f"{band.text}, {band.start:.0f} s to {band.end:.0f} s"
            if end - x > 7 * len(band.text):
                self.text((x + end) / 2, self.y + 17, band.text, anchor="middle", kind="in")
        self.y += LANE

    def _graph(self, rows: Sequence[Steps]) -> None:
        """Lines that would lie on each other stand three pixels apart."""
        most = max(value for steps in rows for _, value in steps.points)
        unit = (GRAPH - 16) / max(most, 1)
        base = self.y + GRAPH - 6
        for number in range(int(most) + 1):
            y = base - number * unit
            self.put("line", {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y, "opacity": 0.3})
            self.text(LEFT - 8, y + 4, str(number), anchor="end")
        for order, steps in enumerate(rows):
            self.text(8, self.y + 18 + 18 * order, steps.name)
            self.put("rect", {"x": 8, "y": self.y + 22 + 18 * order, "width": 40, "height": 2, "fill": steps.color})
            points = []
            ends = [second for second, _ in steps.points[1:]] + [self._seconds]
            for (second, value), end in zip(steps.points, ends, strict=True):
                y = base - value * unit - 3 * order
                points += [f"{self.x(second):.1f},{y:.1f}", f"{self.x(end):.1f},{y:.1f}"]
            self.put("polyline", {"points": " ".join(points), "stroke": steps.color})
        self.y += GRAPH
