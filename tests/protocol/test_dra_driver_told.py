"""What the whole DRA driver writes of its node's condition through its child, and what it does about a lost state."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from furiosa_npu.demo.kubelet_services import PodResourcesService
from furiosa_npu.hardware.reading import Roots
from furiosa_npu.kubelet import podresources_v1
from furiosa_npu.kubelet.unix_server import UnixServer
from furiosa_npu.simulator import Simulation
from furiosa_npu.watch.memory_file import boot_id
from furiosa_npu.watch.plane_lock import PlaneLock
from tests.protocol.api_server import api_server, kubeconfig
from tests.protocol.dra_kubelet import DraKubelet
from tests.protocol.dra_node import running, serve_slices
from tests.protocol.dra_place import until
from tests.protocol.in_time import LATE, in_one_of_a_few_tries
from tests.protocol.plugin_node import card_id
from tests.protocol.test_device_plugin_told import CONDITION, eventually, told, until_condition
from tests.unit.test_watch_claimed_cards import claim
from tests.unit.test_watch_claimed_cards import write as prepare


async def test_sigterm_leaves_the_drivers_own_word_behind(folder: str, tmp_path: Path) -> None:
    """That it was stopped, not the device plugin; the cards were told of before."""

    async def story(place: str) -> bool:
        with api_server() as server:
            server.nodes["n1"] = {}
            async with running(place, kubeconfig(tmp_path, server.url)) as driver:
                await until_condition(server, "True", "AllNPUsHealthy")
                assert await driver.stop() == 0
            if LATE in text(driver.output):
                return False
            left = server.conditions["n1"][CONDITION]
            assert {key: left[key] for key in ("status", "reason", "message")} == {
                "status": "Unknown",
                "reason": "DriverStopped",
                "message": "furiosa-npu-dra-driver was stopped: nobody looks at the NPUs",
            }
            return True

    await in_one_of_a_few_tries(folder, story)


async def test_sigterm_removes_the_sockets_when_the_kubelet_has_let_go_of_them(folder: str, tmp_path: Path) -> None:
    """The whole driver waits for that, whatever else of it has ended by then."""
    with api_server() as server:
        async with running(folder, kubeconfig(tmp_path, server.url)) as driver:
            kubelet = DraKubelet(f"{folder}/kubelet")
            async with kubelet.living():
                await until(lambda: bool(kubelet.registered))
                line = kubelet.driver.line
                assert await driver.stop() == 0
                assert (kubelet.registered, line.is_connected) == ([], False)
            assert sockets(f"{folder}/kubelet") == []


async def test_a_card_that_cannot_be_published_is_an_event(folder: str, tmp_path: Path) -> None:
    """It is well, so that nothing else tells of it: its UUID is no name for a device."""
    uuid = "WBYB0236_FH505KREO"
    with api_server() as server:
        serve_slices(server)
        async with running(folder, kubeconfig(tmp_path, server.url)), kubelet_without_pods(folder):
            await until_condition(server, "True", "AllNPUsHealthy")
            flash(Simulation(f"{folder}/sim").roots, uuid)
            await eventually(lambda: any(uuid in message for *_, message in told(server)), "it is told of")
            await until_condition(server, "True", "AllNPUsHealthy")
    (text,) = [
        message for *_, reason, message in told(server) if (reason, uuid in message) == ("NPUsNotPublished", True)
    ]
    assert text == (
        f"npu0 ({uuid}) is not published, and no pod can get it: found the name 'npu-{uuid.lower()}', expected a DNS "
        "label of at most 63 characters (the driver's device_uuid)"
    )


def flash(roots: Roots, uuid: str) -> None:
    """The card has this UUID; an event of the devfs root brings a look."""
    path = Path(roots.sysfs, "class/npu_mgmt/npu0_mgmt/device_uuid")
    path.chmod(0o644)
    path.write_text(f"{uuid}\n")
    Path(roots.devfs, "npu-event").touch()


async def test_what_another_instance_prepared_before_it_left_is_known(folder: str, tmp_path: Path) -> None:
    """The kubelet told this one nothing of it; the other's sockets go when its last call was answered."""
    path = "/apis/resource.k8s.io/v1/namespaces/default/resourceclaims/a1"
    metadata = {"namespace": "default", "name": "a1", "uid": "a1"}
    with api_server() as server:
        server.answers |= {f"GET {path}": (200, {"metadata": metadata}), f"PATCH {path}/status": (200, {})}
        async with running(folder, kubeconfig(tmp_path, server.url)), kubelet_without_pods(folder) as kubelet:
            await until(lambda: bool(kubelet.registered))
            prepare(Path(folder), claim("a1", card_id(0), boot_id=boot_id()))
            leave(f"{folder}/kubelet/plugins/npu.furiosa.ai/other.sock")
            await until(lambda: any(f"{path}/status" in one.path for one in server.seen))


@asynccontextmanager
async def kubelet_without_pods(folder: str) -> AsyncIterator[DraKubelet]:
    """It finds drivers by itself, and tells who holds cards of the device plugin: nobody."""
    kubelet = DraKubelet(f"{folder}/kubelet")
    async with books(folder, podresources_v1.ListPodResourcesResponse), kubelet.living():
        yield kubelet


@asynccontextmanager
async def books(folder: str, listed: Callable[[], podresources_v1.ListPodResourcesResponse]) -> AsyncIterator[None]:
    """A kubelet's pod-resources, which tell this of who holds cards of the device plugin."""
    server = UnixServer(
        f"{folder}/kubelet/pod-resources/kubelet.sock", [PodResourcesService(listed)], podresources_v1.SCHEMA
    )
    await server.start()
    try:
        yield
    finally:
        await server.close()


def leave(socket: str) -> None:
    """An instance, whose socket this was; nobody serves at it, and the driver may remove it first."""
    Path(socket).touch()
    Path(socket).unlink(missing_ok=True)


async def test_a_card_that_the_other_plane_gave_out_meanwhile_is_no_strangers(folder: str, tmp_path: Path) -> None:
    """Neither while the driver waits for the device plugin, nor when it takes over and a pod has the card yet."""
    asked: list[bool] = []
    given: list[podresources_v1.PodResources] = []
    held = podresources_v1.ContainerDevices("furiosa.ai/npu", (card_id(0),))

    def listed() -> podresources_v1.ListPodResourcesResponse:
        asked.append(True)
        return podresources_v1.ListPodResourcesResponse(tuple(given))

    plugin = PlaneLock(folder, "device-plugin")
    assert plugin.take() is None
    with api_server() as server:
        serve_slices(server)
        async with (
            running(folder, kubeconfig(tmp_path, server.url), family="renegade") as driver,
            books(folder, listed),
        ):
            await eventually(lambda: bool(asked), "it waits, and knows who held cards at its start")
            given.append(
                podresources_v1.PodResources("train", "default", (podresources_v1.ContainerResources("c", (held,)),))
            )
            Simulation(f"{folder}/sim").occupy("npu0")
            await eventually(lambda: "state=occupied" in text(driver.output), "it sees the card in use")
            plugin.release()
            await until_condition(server, "True", "AllNPUsHealthy")
            assert driver.exit_code is None
        assert "NPUOccupied" not in {reason for *_, reason, _ in told(server)}


async def test_a_damaged_state_is_made_out_anew_though_nobody_knows_who_holds_what_meanwhile(
    folder: str, tmp_path: Path
) -> None:
    """Neither by the state nor by a kubelet."""
    os.makedirs(f"{folder}/dra")
    path = f"{folder}/dra/prepared.json"
    write(path, "{")
    with api_server() as server:
        server.answers["GET /apis/resource.k8s.io/v1/resourceclaims"] = 200, {"items": []}
        async with running(folder, kubeconfig(tmp_path, server.url)) as driver:
            await until(lambda: "what is prepared was made out anew" in text(driver.output))
            assert await driver.stop() == 0
    assert json.loads(text(path))["claims"] == {}
    assert text(f"{path}.corrupt-1") == "{"


def sockets(folder: str) -> list[str]:
    return [path.name for path in Path(folder).rglob("*.sock")]


def text(path: str) -> str:
    return Path(path).read_text()


def write(path: str, content: str) -> None:
    Path(path).write_text(content)
