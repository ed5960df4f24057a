"""Stands for the API server's resource.k8s.io/v1, with what matters of its storage: versions, gates, bounds.

After pkg/registry/resource/resourceslice/strategy.go: a closed gate drops its fields from a slice that did not have
them before, and says nothing.
"""

import copy
import json
from typing import Any

from furiosa_npu.cluster.api import Answer, ApiRequest

SLICES = "/apis/resource.k8s.io/v1/resourceslices"
CLASSES = "/apis/resource.k8s.io/v1/deviceclasses"

Object = dict[str, Any]


class SlicesServer:
    """Of one node and one driver. `fault` says what a consumer could have seen that it never may."""

    def __init__(
        self, node: str, *, counters: bool = True, taints: bool = True, counters_beside_devices: bool = False
    ) -> None:
        """`counters_beside_devices`: as 1.34 has them, a slice's devices consume what that slice shares alone."""
        self.node = node
        self.counters_beside_devices = counters_beside_devices
        self.node_uid = "n1"
        self.counters = counters
        self.taints = taints
        self.slices: dict[str, Object] = {}
        self.writes: list[str] = []
        """methods and names of what was written, in order"""
        self.written: dict[str, Object] = {}
        """the bodies, as they came last, by name"""
        self.fault: str | None = None
        self._version = 40
        self._lost = False
        """somebody else deleted slices, and whoever listed them before may write devices without their counters"""

    def ask(self, request: ApiRequest) -> Answer:
        name = request.path.partition("?")[0].removeprefix(SLICES).removeprefix("/")
        body = json.loads(request.body or "{}")
        if request.path == f"/api/v1/nodes/{self.node}":
            return Answer(200, {"metadata": {"name": self.node, "uid": self.node_uid}}, None)
        if request.path == CLASSES:
            named = {"npu.furiosa.ai": "furiosa.ai/npu", "alpha-npu.furiosa.ai": "alpha.furiosa.ai/npu"}
            items = [{"metadata": {"name": name}, "spec": {"extendedResourceName": of}} for name, of in named.items()]
            return Answer(200, {"metadata": {}, "items": items}, None)
        if request.method == "GET":
            self._lost = self._lost and bool(self._bare())
            return Answer(200, {"metadata": {}, "items": copy.deepcopy([*self.slices.values()])}, None)
        answer = self._write(request.method, name or body["metadata"]["name"], body)
        self.fault = self.fault or self._fault()
        return answer

    def lose(self, *names: str) -> None:
        """Somebody else deletes them."""
        self._lost = True
        for name in names:
            del self.slices[name]

    def touch(self, name: str) -> None:
        """Somebody else writes it, and changes nothing."""
        self.slices[name]["metadata"]["resourceVersion"] = self._next_version()

    def visible(self) -> dict[str, Object]:
        """The devices that a scheduler believes in: of the newest generation, when all slices of it are there."""
        newest = self._newest()
        if not newest or len(newest) != newest[0]["spec"]["pool"]["resourceSliceCount"]:
            return {}
        return {device["name"]: device for found in newest for device in found["spec"].get("devices", ())}

    def _newest(self) -> list[Object]:
        generation = max((found["spec"]["pool"]["generation"] for found in self.slices.values()), default=0)
        return [found for found in self.slices.values() if found["spec"]["pool"]["generation"] == generation]

    def _write(self, method: str, name: str, body: Object) -> Answer:
        before = self.slices.get(name)
        if method == "DELETE":
            if before is None:
                return Answer(404, {"message": "not found"}, None)
            conditions = body["preconditions"]
            if conditions != {key: before["metadata"][key] for key in ("uid", "resourceVersion")}:
                return Answer(409, {"message": "the precondition does not hold"}, None)
            del self.slices[name]
            self.writes.append(f"DELETE {name}")
            return Answer(200, {"kind": "Status"}, None)
        if method == "POST" and before is not None:
            return Answer(409, {"message": "already exists"}, None)
        if method == "PUT" and before is None:
            return Answer(404, {"message": "not found"}, None)
        if before is not None and body["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
            return Answer(409, {"message": "the object has been modified"}, None)
        refusal = _refusal(body["spec"], before)
        if refusal is not None:
            self.fault = f"{name}: {refusal}"
            return Answer(422, {"message": refusal}, None)
        if self.counters_beside_devices and any("consumesCounters" in one for one in body["spec"].get("devices", ())):
            at = "spec.devices[0].consumesCounters[0].counterSet"
            return Answer(
                422, {"message": f"{at}: must reference a counterSet in the ResourceSlice sharedCounters"}, None
            )
        self.writes.append(f"{method} {name}")
        self.written[name] = copy.deepcopy(body)
        uid = f"u{self._version}" if before is None else before["metadata"]["uid"]
        body["metadata"] |= {"uid": uid, "resourceVersion": self._next_version(), "creationTimestamp": "now"}
        self._drop(body["spec"], {} if before is None else before["spec"])
        self.slices[name] = body
        return Answer(201 if before is None else 200, copy.deepcopy(body), None)

    def _drop(self, spec: Object, before: Object) -> None:
        devices, old = spec.get("devices", []), before.get("devices", [])
        if not self.taints and not any("taints" in device for device in old):
            for device in devices:
                device.pop("taints", None)
        if not self.counters and "sharedCounters" not in before and not any("consumesCounters" in one for one in old):
            spec.pop("sharedCounters", None)
            for device in devices:
                device.pop("consumesCounters", None)
        for device in devices:
            for taint in device.get("taints", ()):
                taint.setdefault("timeAdded", "2026-11-27T00:00:00Z")

    def _next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def _bare(self) -> set[str]:
        """Devices whose counters are not there."""
        counted = {one["name"] for found in self.slices.values() for one in found["spec"].get("sharedCounters", ())}
        return {
            device["name"]
            for found in self._newest()
            for device in found["spec"].get("devices", ())
            if any(one["counterSet"] not in counted for one in device.get("consumesCounters", ()))
        }

    def _fault(self) -> str | None:
        bare = self._bare()
        if bare and (not self._lost or bare & set(self.visible())):
            return f"{bare} stand there without their counters"
        bodies = [self.written[name] for name in self.slices if name in self.written]
        meant = {
            device["name"]: device
            for body in sorted(bodies, key=lambda body: int(body["spec"]["pool"]["generation"]))
            for device in body["spec"].get("devices", ())
        }
        for name, device in self.visible().items():
            if device["attributes"]["partition"] != {"string": "card"} and "consumesCounters" not in device:
                return f"{name} can be claimed beside what shares PEs with it"
            if "taints" in meant[name] and "taints" not in device:
                return f"{name} can be claimed as if it were good"
        names = [device["name"] for found in self._newest() for device in found["spec"].get("devices", ())]
        return None if len(names) == len(set(names)) else "a device stands there twice"


def _refusal(spec: Object, before: Object | None) -> str | None:
    """As pkg/apis/resource/validation/validation.go."""
    devices, sets = spec.get("devices", []), spec.get("sharedCounters", [])
    if devices and sets:
        return "devices and sharedCounters"
    advanced = any("taints" in device or "consumesCounters" in device for device in devices)
    if len(devices) > (64 if advanced else 128) or len(sets) > 8 or spec["pool"]["resourceSliceCount"] < 1:
        return "too many, or none"
    if before is not None and before["spec"]["pool"]["name"] != spec["pool"]["name"]:
        return "the pool is immutable"
    return None
