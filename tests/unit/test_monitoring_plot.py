"""The README's picture: what Prometheus answers becomes bands and steps, and these become SVG."""

from xml.etree import ElementTree

from monitoring.plot import LEFT, RIGHT, WIDTH, Band, Lane, Section, Steps, draw, lanes, steps

from tests.cluster.node_status_page import page


def test_bands_last_as_long_as_a_series_is_there() -> None:
    """Each second from 100 on; a state that comes back is a band of its own."""
    series = [
        {"metric": {"name": "npu1", "state": "idle"}, "values": [[100, "1"], [101, "1"], [104, "1"]]},
        {"metric": {"name": "npu1", "state": "failed"}, "values": [[102, "1"], [103, "1"]]},
        {"metric": {"name": "npu0", "state": "idle"}, "values": [[101, "1"]]},
    ]
    assert lanes(series, 100.0, lambda of: of["name"], lambda of: of["state"], lambda _: "#000000") == (
        Lane("npu1", (Band(0, 2, "idle", "#000000"), Band(2, 4, "failed", "#000000"), Band(4, 5, "idle", "#000000"))),
        Lane("npu0", (Band(1, 2, "idle", "#000000"),)),
    )


def test_steps_are_where_a_number_changes() -> None:
    """And where it begins."""
    series = {"values": [[100, "2"], [101, "2"], [102, "1"], [103, "2"]]}
    assert steps(series, 100.0, "n", "#000000") == Steps("n", "#000000", ((0.0, 2.0), (2.0, 1.0), (3.0, 2.0)))


def test_the_picture_shows_each_band_step_and_moment() -> None:
    """In the place of its seconds; a word that does not fit into its band is told when it is pointed at."""
    sections = (
        Section("States", (Lane("npu0", (Band(0, 5, "idle", "#00ff00"), Band(5, 5.1, "failed", "#ff0000"))),)),
        Section("Allocatable", (Steps("free", "#0000ff", ((0, 2), (5, 1))),)),
    )
    svg = ElementTree.fromstring(draw(sections, ((5.0, "it fails"),), 10.0))  # noqa: S314 - ours
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in svg.iter(f"{space}text")]
    assert texts == ["States", "npu0", "idle", "Allocatable", "0", "1", "2", "free", "it fails", "0 s", "10 s"]
    bands = [(float(box.get("x", "")), box.get("fill")) for box in svg.iter(f"{space}rect") if len(box)]
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    assert bands == [(LEFT, "#00ff00"), (middle, "#ff0000")]
    assert [title.text for title in svg.iter(f"{space}title")] == ["idle, 0 s to 5 s", "failed, 5 s to 5 s"]
    (line,) = (line.get("points", "").split() for line in svg.iter(f"{space}polyline"))
    assert [point.partition(",")[0] for point in line] == [
        f"{x:.1f}" for x in (LEFT, middle, middle, float(WIDTH - RIGHT))
    ]


def test_allocatable_is_told_in_kube_state_metrics_words() -> None:
    """Whole numbers alone: memory is told in bytes elsewhere."""
    nodes = '{"items": [{"metadata": {"name": "n1"}, "status": {"allocatable": {"a.b/npu": "2", "memory": "9Ki"}}}]}'
    assert page(nodes) == 'kube_node_status_allocatable{node="n1",resource="a_b_npu"} 2\n'
