"""Pods that come and go while chaos is on, as planned; what the API server does not take is left out."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.cluster.chaos.api import Api, ApiAway, ApiRefused
from tests.cluster.chaos.observer import Record
from tests.cluster.chaos.plan import PodStep
from tests.cluster.claim_templates import claiming, claiming_by_name
from tests.cluster.pods import container, pod

PODS = "/api/v1/namespaces/default/pods"
LONGEST_LIFE_SECONDS = 30.0
"""A pod is deleted then, also one that no node has a card for: else they would pile up."""
_NOT_FOUND = 404


class Load:
    """A thread that makes and deletes pods until `close`."""

    def __init__(self, api: Api, record: Record, steps: Sequence[PodStep], began: float) -> None:
        self._api = api
        self._record = record
        self._steps = list(steps)
        self._began = began
        self._to_delete: dict[str, float] = {}
        self.made = 0
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def _go_on(self) -> None:
        try:
            while not self._ended.wait(0.1):
                self._make_due()
                self._delete_due()
        except BaseException as failure:  # noqa: BLE001 - it is raised again by close
            self._failure = failure

    def close(self) -> None:
        """Makes no more; raises what ended the thread."""
        self._ended.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _make_due(self) -> None:
        while self._steps and self._began + self._steps[0].at <= time.time():
            step = self._steps.pop(0)
            try:
                self._api.request("POST", PODS, body_of(step))
            except ApiAway:
                continue  # it may be there all the same: the next look at all pods shows it
            self.made += 1
            if step.deleted_after is not None:
                self._to_delete[step.name] = time.time() + step.deleted_after

    def _delete_due(self) -> None:
        now = time.time()
        for seen in self._record.pods.pods:
            if seen.name not in self._to_delete:
                self._to_delete[seen.name] = now if seen.ended else now + LONGEST_LIFE_SECONDS
            elif seen.ended:
                self._to_delete[seen.name] = min(now, self._to_delete[seen.name])
        there = {seen.name for seen in self._record.pods.pods}
        for name, at in list(self._to_delete.items()):
            if at > now:
                continue
            try:
                self._api.request("DELETE", f"{PODS}/{name}")
            except ApiAway:
                return
            except ApiRefused as refused:
                if refused.status != _NOT_FOUND:
                    raise
                if name not in there:
                    del self._to_delete[name]
                    continue
            self._to_delete[name] = now + LONGEST_LIFE_SECONDS


def body_of(step: PodStep) -> dict[str, Any]:
    """The Pod as the API server takes it."""
    script = f"trap 'exit 0' TERM; sleep {step.seconds:.1f} & wait"
    first = [container("prepare", dict(step.requests), "sleep 0.3")] if step.in_init_too else []
    body = pod(step.name, [container("linux", dict(step.requests), script)], step.node, first)
    if step.template:
        return claiming(body, step.template)
    return claiming_by_name(body, step.claim) if step.claim else body
