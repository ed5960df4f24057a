"""What the whole DRA driver makes of other agents on its node: the other plane's, and other instances of itself."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from furiosa_npu.demo.kubelet import Kubelet
from furiosa_npu.dra_driver.instance_order import InstanceOrder
from furiosa_npu.dra_driver.prepared import PreparedClaim
from furiosa_npu.dra_driver.state_file import StateFile
from furiosa_npu.watch.memory_file import boot_id
from furiosa_npu.watch.plane_lock import PlaneLock
from tests.protocol.api_server import api_server, kubeconfig
from tests.protocol.dra_kubelet import DraKubelet
from tests.protocol.dra_node import RESOURCE, running, serve_slices
from tests.protocol.plugin_node import SECONDS, card_id, free_port, get
from tests.protocol.test_device_plugin_told import eventually
from tests.unit.test_watch_claimed_cards import claim

PART = f"npu-{card_id(0)}-pe0"


@asynccontextmanager
async def pods_shown(folder: str) -> AsyncIterator[None]:
    """A kubelet that answers who holds what of the device plugin's: nobody holds anything."""
    for name in ("device-plugins", "pod-resources"):
        os.makedirs(f"{folder}/kubelet/{name}")
    sockets = f"{folder}/kubelet/device-plugins", f"{folder}/kubelet/pod-resources/kubelet.sock"
    kubelet = Kubelet(*sockets, time.monotonic)
    await kubelet.start()
    try:
        yield
    finally:
        await kubelet.stop()


def prepared(folder: str, *claims: PreparedClaim) -> None:
    """By another instance: these are, and no others."""
    with StateFile(f"{folder}/dra").locked() as state:
        state.write({one.named.uid: one for one in claims})


async def until_part(port: int, state: str) -> None:
    """`/status` has the card's first PE in this state."""
    async with asyncio.timeout(SECONDS):
        while True:
            lines = (await get(port, "/status"))[1].splitlines()
            if any(PART in line and state in line.split() for line in lines):
                return
            await asyncio.sleep(0.05)


async def test_a_driver_that_waits_for_the_plane_takes_back_what_an_earlier_one_published(
    folder: str, tmp_path: Path
) -> None:
    """It died while a device plugin waited: the scheduler would go on allocating what nobody prepares."""
    plugin = PlaneLock(folder, "device-plugin")
    assert plugin.take() is None
    with api_server() as server:
        serve_slices(server, "n1-left")
        async with running(folder, kubeconfig(tmp_path, server.url)) as driver:
            path = f"{RESOURCE}/resourceslices/n1-left"
            await eventually(lambda: ("DELETE", path) in [seen[:2] for seen in server.seen], "the slice is deleted")
            assert await driver.stop() == 0
    plugin.release()


async def test_what_another_instance_prepares_and_ends_is_known(folder: str, tmp_path: Path) -> None:
    """No call tells this one, and it holds nothing itself: the card would be taken for somebody else's."""
    port = free_port()
    with api_server() as server:
        serve_slices(server)
        options = {"listen-address": f"127.0.0.1:{port}"}
        async with pods_shown(folder), running(folder, kubeconfig(tmp_path, server.url), options) as driver:
            await eventually(lambda: "starting" in Path(driver.output).read_text(), "the driver listens")
            await until_part(port, "idle")
            prepared(folder, claim("a1", card_id(0), boot_id=boot_id()))
            await until_part(port, "allocated")
            prepared(folder)
            await until_part(port, "idle")
            assert await driver.stop() == 0


async def test_a_retiring_driver_says_that_no_claim_is_left_when_no_other_instance_can_prepare_one(
    folder: str, tmp_path: Path
) -> None:
    """The older one serves until the newer one has been found, and prepares after that one's first look; what is left
    of an earlier boot counts, too.
    """
    none_left, one_left = "no claim is left: this driver can be deleted", "1 claims are prepared yet"
    kubelet, older = DraKubelet(f"{folder}/kubelet"), f"{folder}/kubelet/plugins/npu.furiosa.ai"
    os.makedirs(older)
    order = InstanceOrder(older, "older")
    order.join()
    with api_server() as server:
        serve_slices(server, "n1-left")
        options = {"retire": "on", "instance": "newer"}
        async with (
            pods_shown(folder),
            kubelet.living(),
            running(folder, kubeconfig(tmp_path, server.url), options) as driver,
        ):

            def said() -> str:
                return Path(driver.output).read_text()

            await eventually(lambda: "registered with the kubelet" in said(), "the kubelet finds it")
            await eventually(lambda: "published: 0 devices" in said(), "it takes the slices back")
            await asyncio.sleep(2.0)  # the first look and the second, of which nothing tells
            assert (none_left in said(), one_left in said()) == (False, False)
            prepared(folder, claim("a1", card_id(0), boot_id="an-earlier-boot"))
            order.leave()
            await eventually(lambda: one_left in said(), "what is left is said")
            assert none_left not in said()
            prepared(folder)
            await eventually(lambda: none_left in said(), "that nothing is left is said")
            assert await driver.stop() == 0
