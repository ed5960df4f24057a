"""When pods ended, as the API server said it; it says so after the kubelet knows it."""

from collections.abc import Sequence

from tests.cluster.chaos.history import Event, Pods, Sample

UNSEEN_SECONDS = 5.0
"""A pod that the kubelet has written down and the API server does not know so much later has ended unseen."""


def pod_ends(history: Sequence[Event]) -> dict[str, float]:
    """UID to the time of the first answer in which the pod has ended or is no more. A pod that lives is not in it."""
    ends: dict[str, float] = {}
    met: dict[str, float] = {}
    there: set[str] = set()
    for event in history:
        if isinstance(event, Sample):
            for uid in [one.pod for one in event.booked] + [one.pod for one in event.holders]:
                met.setdefault(uid, event.at)
        elif isinstance(event, Pods):
            now = {pod.uid for pod in event.pods}
            # That one is deleted which never ran the API server says before the kubelet has heard of it.
            gone = {pod.uid for pod in event.pods if pod.ended and pod.phase != "Pending"} | (there - now)
            gone |= {uid for uid, at in met.items() if uid not in now and event.at - at > UNSEEN_SECONDS}
            for uid in gone:
                ends.setdefault(uid, event.at)
            there |= now
    return ends
