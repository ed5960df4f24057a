"""Probes and metrics of the labeller."""

from collections import Counter

from furiosa_npu import __version__
from furiosa_npu.node_labeller.labels import CardType, Sight
from furiosa_npu.node_labeller.pages import Condition, livez, metrics, readyz

SIGHT = Sight(
    ("warboy",),
    (),
    (),
    (
        CardType("npu0", "warboy", True, "haps"),
        CardType("npu1", "warboy", True, "haps"),
        CardType("npu2", "warboy", True, None),
        CardType("npu3", "warboy", False, None, "no driver"),
    ),
)

GOOD = Condition(SIGHT, 1769851800.5, 12.0, 60, None, None, Counter(success=2))


def test_alive_as_long_as_looks_go_on() -> None:
    """Three missed re-scans and half a minute are too long."""
    assert livez(GOOD._replace(seconds_since_look=210.0)) == (200, "ok\n")
    expected = "scan: the last one is 211 s old, expected at most 210 s\n"
    assert livez(GOOD._replace(seconds_since_look=211.0)) == (503, expected)


def test_ready_when_seen_and_labelled() -> None:
    """Otherwise the body names each part that fails."""
    assert readyz(GOOD) == (200, "ok\n")
    failing = GOOD._replace(sight=SIGHT._replace(failures=("/sys: gone",)), unsettled="refused")
    assert readyz(failing) == (503, "scan: /sys: gone\nlabels: refused\n")
    assert readyz(GOOD._replace(sight=None)) == (503, "scan: the node's NPUs were not looked at yet\n")


def test_the_page_of_metrics() -> None:
    """Compared whole."""
    assert (
        metrics(GOOD)
        == f"""# HELP furiosa_npu_labeller_build_info 1, with the version as label.
# TYPE furiosa_npu_labeller_build_info gauge
furiosa_npu_labeller_build_info{{version="{__version__}"}} 1
# HELP furiosa_npu_labeller_cards NPUs seen by family and hwtype (empty on silicon, else unknown).
# TYPE furiosa_npu_labeller_cards gauge
furiosa_npu_labeller_cards{{family="warboy",hwtype=""}} 1
furiosa_npu_labeller_cards{{family="warboy",hwtype="haps"}} 2
furiosa_npu_labeller_cards{{family="warboy",hwtype="unknown"}} 1
# HELP furiosa_npu_labeller_label_writes_total Patches of the node's labels by outcome.
# TYPE furiosa_npu_labeller_label_writes_total counter
furiosa_npu_labeller_label_writes_total{{outcome="success"}} 2
furiosa_npu_labeller_label_writes_total{{outcome="failure"}} 0
# HELP furiosa_npu_labeller_labels_as_wanted 1 if they are.
# TYPE furiosa_npu_labeller_labels_as_wanted gauge
furiosa_npu_labeller_labels_as_wanted 1
# HELP furiosa_npu_labeller_last_scan_timestamp_seconds When the node was last looked at.
# TYPE furiosa_npu_labeller_last_scan_timestamp_seconds gauge
furiosa_npu_labeller_last_scan_timestamp_seconds 1769851800.5
# HELP furiosa_npu_labeller_last_scan_failed 1 if that look missed something.
# TYPE furiosa_npu_labeller_last_scan_failed gauge
furiosa_npu_labeller_last_scan_failed 0
# HELP furiosa_npu_labeller_polling 1 where the kernel gives no events.
# TYPE furiosa_npu_labeller_polling gauge
furiosa_npu_labeller_polling 0
"""
    )
