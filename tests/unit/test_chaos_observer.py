"""What the observer makes of what it reads, and what chaos changes of the manifests."""

import json

from furiosa_npu.simulator.changes import fail, occupy, remove, unload_driver
from furiosa_npu.simulator.scenario import parse_scenario
from furiosa_npu.simulator.state import CardState, State
from tests.cluster.chaos import overlay
from tests.cluster.chaos.history import Booking, PodSeen
from tests.cluster.chaos.records import condition, device_blocks, parse_checkpoint, pod_seen
from tests.cluster.pods import ALPHA, PLAIN
from tests.unit.manifests import shipped

CARDS = parse_scenario("cards: [{family: warboy}, {family: warboy}]", "scenario")
STATE = State(tuple(map(CardState, CARDS)), plain_files=False, majors={"warboy": (510,), "renegade": (236, 235)})


def test_a_checkpoint_says_what_is_offered_and_what_is_booked() -> None:
    """As a kubelet of 1.20 writes it: device ids by NUMA node; null where there is nothing."""
    entry = {"PodUID": "p", "ContainerName": "c", "ResourceName": ALPHA, "DeviceIDs": {"1": ["Y"], "0": ["X"]}}
    text = json.dumps(
        {"Data": {"PodDeviceEntries": [entry], "RegisteredDevices": {ALPHA: ["Y", "X"], PLAIN: None}}, "Checksum": 1}
    )
    assert parse_checkpoint(3.0, text) == (3.0, {ALPHA: ("X", "Y"), PLAIN: ()}, (Booking("p", "c", ALPHA, ("X", "Y")),))
    empty = json.dumps({"Data": {"PodDeviceEntries": None, "RegisteredDevices": {}}})
    assert parse_checkpoint(3.0, empty) == (3.0, {}, ())


def test_a_pod_has_ended_when_its_kubelet_gives_its_cards_to_others() -> None:
    """Failed, Succeeded, or to be deleted and nothing of it runs any more (1.20: kubelet_pods.go, notRunning)."""
    limits = {"resources": {"limits": {ALPHA: "1"}}}
    item = {
        "metadata": {"uid": "u", "name": "n"},
        "spec": {"nodeName": "node", "containers": [limits], "initContainers": [limits]},
        "status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]},
    }
    assert pod_seen(item) == PodSeen("u", "n", "node", "Running", "", ended=False, requests=2)
    deleted = item | {"metadata": {"uid": "u", "name": "n", "deletionTimestamp": "now"}}
    assert not pod_seen(deleted).ended
    over = {"phase": "Running", "containerStatuses": [{"state": {"terminated": {}}}]}
    assert pod_seen(deleted | {"status": over}).ended
    assert not pod_seen(item | {"status": over}).ended
    failed = {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "why"}
    assert pod_seen(item | {"status": failed})[4:6] == ("UnexpectedAdmissionError: why", True)


def test_the_record_says_what_is_wrong_with_a_card() -> None:
    """All of it; nothing for a good card."""
    state = occupy(remove(STATE, "npu1"), "npu0")
    assert [condition(card, state) for card in state.cards] == ["occupied", "gone"]
    state = unload_driver(fail(fail(STATE, "npu0", "temperature=120"), "npu0", "hang=alive"))
    assert [condition(card, state) for card in state.cards] == [
        "hang=alive,temperature=120,driver-unloaded",
        "driver-unloaded",
    ]
    assert [condition(card, STATE) for card in STATE.cards] == ["", ""]


def test_a_cards_device_numbers_tell_it_from_others() -> None:
    """16 minors a card; cards take turns on the majors."""
    uuids = [card.uuid for card in CARDS]
    assert device_blocks(STATE) == dict(zip(uuids, [(510, 0), (510, 1)], strict=True))
    two_majors = STATE._replace(majors={"warboy": (510, 509)})
    assert device_blocks(two_majors) == dict(zip(uuids, [(510, 0), (509, 0)], strict=True))


def test_chaos_changes_the_warboys_plugin_and_nothing_else() -> None:
    """What is preloaded, the mounted sysfs, short probations; all else is as shipped."""
    before = shipped()
    after = overlay.with_chaos(before)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    ((old, new),) = changed
    assert old["metadata"]["name"] == overlay.PLUGIN
    pod, struck = (one["spec"]["template"]["spec"] for one in (old, new))
    assert struck["volumes"][: len(pod["volumes"])] == pod["volumes"]
    ((container,), (preloaded,)) = pod["containers"], struck["containers"]
    assert preloaded["env"][: len(container["env"])] == container["env"]
    assert preloaded["args"][: len(container["args"])] == container["args"]
    mounts = preloaded["volumeMounts"][len(container["volumeMounts"]) :]
    assert [(mount["mountPath"], mount["readOnly"]) for mount in mounts] == [("/chaos", True), (overlay.MOUNTED, True)]
    different = {name for name in container if container[name] != preloaded[name]}
    assert different <= {"env", "args", "volumeMounts"}
