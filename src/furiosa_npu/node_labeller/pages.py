"""What the labeller answers over HTTP: `/livez`, `/readyz`, `/metrics`. Pure."""

from collections import Counter
from typing import NamedTuple

from furiosa_npu import __version__
from furiosa_npu.agent.metrics import Metric, render_metrics
from furiosa_npu.node_labeller.labels import Sight


class Condition(NamedTuple):
    """How the labeller stands at one moment."""

    sight: Sight | None
    """the last look; None: there was none yet"""
    looked_at: float | None
    """seconds since 1970"""
    seconds_since_look: float
    """since the last look, or since the start"""
    rescan_seconds: int
    unsettled: str | None
    """why the node's labels are not as wanted"""
    polling: str | None
    """why there are no events; None: there are"""
    writes: Counter[str]
    """patches by outcome: `success`, `failure`"""


def livez(condition: Condition) -> tuple[int, str]:
    """That it is answered shows that the loop turns; the looks have to go on, too."""
    limit = 3 * condition.rescan_seconds + 30
    if condition.seconds_since_look > limit:
        seconds = condition.seconds_since_look
        return 503, f"scan: the last one is {seconds:.0f} s old, expected at most {limit} s\n"
    return 200, "ok\n"


def readyz(condition: Condition) -> tuple[int, str]:
    """200, or 503 with a line for each part that fails."""
    failing = []
    if condition.sight is None:
        failing.append("scan: the node's NPUs were not looked at yet")
    else:
        failing += [f"scan: {failure}" for failure in condition.sight.failures]
    if condition.unsettled is not None:
        failing.append(f"labels: {condition.unsettled}")
    return (503, "\n".join(failing) + "\n") if failing else (200, "ok\n")


def metrics(condition: Condition) -> str:
    """Prometheus' text format."""
    seen = condition.sight.cards if condition.sight is not None else ()
    types = Counter((card.family, card.hwtype or ("" if card.known else "unknown")) for card in seen)
    cards = tuple(({"family": family, "hwtype": hwtype}, count) for (family, hwtype), count in sorted(types.items()))
    writes = tuple(({"outcome": outcome}, condition.writes[outcome]) for outcome in ("success", "failure"))
    looked_at: tuple[tuple[dict[str, str], float], ...] = (
        () if condition.looked_at is None else (({}, condition.looked_at),)
    )
    failed = condition.sight is not None and bool(condition.sight.failures)
    prefix = "furiosa_npu_labeller"
    return render_metrics(
        (
            Metric(f"{prefix}_build_info", "gauge", "1, with the version as label.", (({"version": __version__}, 1),)),
            Metric(
                f"{prefix}_cards", "gauge", "NPUs seen by family and hwtype (empty on silicon, else unknown).", cards
            ),
            Metric(f"{prefix}_label_writes_total", "counter", "Patches of the node's labels by outcome.", writes),
            Metric(f"{prefix}_labels_as_wanted", "gauge", "1 if they are.", (({}, condition.unsettled is None),)),
            Metric(f"{prefix}_last_scan_timestamp_seconds", "gauge", "When the node was last looked at.", looked_at),
            Metric(f"{prefix}_last_scan_failed", "gauge", "1 if that look missed something.", (({}, failed),)),
            Metric(
                f"{prefix}_polling", "gauge", "1 where the kernel gives no events.", (({}, bool(condition.polling)),)
            ),
        )
    )
