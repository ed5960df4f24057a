"""What chaos changes of the shipped manifests, beside the overlay for simulated roots: how faults get into an agent."""

import copy
from typing import Any

INSIDE = "/chaos"
"""where a node's FOLDER is seen in the agents' containers"""
FOLDER = "/run/furiosa-chaos"
FAKETIME = "libfaketimeMT.so.1"
SHIM = "shim.so"
MOUNTED = "/run/furiosa-mounted"
"""where the simulated sysfs is mounted, so that its files can hang and fail; the same path inside"""
SYSFS_ROOT = "--sysfs-root="
CLOCK = "clock"
"""holds what libfaketime adds to the wall clock, e.g. `-3600`"""
INOTIFY_USED_UP = "inotify-used-up"
"""is there while inotify is used up"""

FIRST_PROBATION_SECONDS, LONGEST_PROBATION_SECONDS = 1, 4
_PROBATION = {
    "probation-seconds": FIRST_PROBATION_SECONDS,
    "probation-longest-seconds": LONGEST_PROBATION_SECONDS,
}
_ENVIRONMENT = {
    "LD_PRELOAD": f"{INSIDE}/{SHIM}:{INSIDE}/{FAKETIME}",
    "FAKETIME_TIMESTAMP_FILE": f"{INSIDE}/{CLOCK}",
    "FAKETIME_CACHE_DURATION": "1",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "CHAOS_INOTIFY_USED_UP": f"{INSIDE}/{INOTIFY_USED_UP}",
}
PLUGIN = "furiosa-npu-plugin"


def with_chaos(documents: list[dict[str, Any]], program: str = PLUGIN) -> list[dict[str, Any]]:
    """The documents, in which the agent of that DaemonSet can be struck, and cards that flap often prove themselves
    shortly.
    """
    return [_struck(document) if is_daemon_set(document, program) else document for document in documents]


def is_daemon_set(document: dict[str, Any], name: str) -> bool:
    return bool(document["kind"] == "DaemonSet" and document["metadata"]["name"] == name)


def _struck(daemon_set: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(daemon_set)
    pod = changed["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    container["env"] += [{"name": name, "value": value} for name, value in _ENVIRONMENT.items()]
    container["args"] = [
        f"{SYSFS_ROOT}{MOUNTED}" if word.startswith(SYSFS_ROOT) else word for word in container["args"]
    ]
    container["args"] += [f"--{name}={value}" for name, value in _PROBATION.items()]
    for name, folder, inside in (("chaos", FOLDER, INSIDE), ("mounted", MOUNTED, MOUNTED)):
        container["volumeMounts"].append({"name": name, "mountPath": inside, "readOnly": True})
        pod["volumes"].append({"name": name, "hostPath": {"path": folder, "type": "Directory"}})
    return changed
