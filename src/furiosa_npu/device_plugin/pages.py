"""What the plugin answers over HTTP: `/livez`, `/readyz`, `/metrics`. Pure but for what it is given."""

from collections.abc import Mapping, Sequence

from furiosa_npu.agent.metrics import Metric
from furiosa_npu.allocation.pool import Pool

STALE_SECONDS = 10.0
"""A scan older than this: the loop turns, but nothing is read any more."""

Counters = Mapping[tuple[str, str, str], int]
"""(call, resource, outcome) to count"""


def ready(troubles: Sequence[tuple[str, str]], scanned_at: float | None, now: float) -> tuple[int, str]:
    """Status and body: 200 with `ok`, or 503 with a line for each part that fails."""
    failing = [f"{part}: {reason}" for part, reason in troubles]
    if scanned_at is None:
        failing.append("scan: no card was looked at yet")
    elif now - scanned_at > STALE_SECONDS:
        failing.append(f"scan: the last one is {now - scanned_at:.0f} s old, expected at most {STALE_SECONDS:.0f} s")
    return (503, "\n".join(failing) + "\n") if failing else (200, "ok\n")


def metrics(
    pool: Pool, holders: Mapping[str, Sequence[str]], answers: Counters, registrations: Mapping[str, int]
) -> tuple[Metric, ...]:
    """What `/metrics` shows. `holders`: resource names by unit id; `registrations`: by resource."""
    return (
        Metric(
            "furiosa_npu_state",
            "gauge",
            "1 for the state that the card is in, with the reason and the resource name it is held under.",
            tuple(
                (
                    {
                        "uuid": unit.id,
                        "name": unit.card.name,
                        "family": unit.card.family,
                        "state": unit.verdict.state,
                        "reason": unit.verdict.reason,
                        "resource": ",".join(holders.get(unit.id, ())),
                    },
                    1,
                )
                for unit in sorted(pool.values())
            ),
        ),
        Metric(
            "furiosa_npu_answers_total",
            "counter",
            "Answers to the kubelet by call, resource and outcome.",
            tuple(
                ({"call": call, "resource": resource, "outcome": outcome}, count)
                for (call, resource, outcome), count in sorted(answers.items())
            ),
        ),
        Metric(
            "furiosa_npu_registrations_total",
            "counter",
            "Registrations that the kubelet took.",
            tuple(({"resource": resource}, count) for resource, count in sorted(registrations.items())),
        ),
    )
