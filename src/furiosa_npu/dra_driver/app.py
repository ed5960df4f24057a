"""The DRA driver's process: makes its parts, wires them, runs them, ends them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from furiosa_npu.agent.http import Listener
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.container_edits import ContainerEdits, container_edits
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.cluster.api import Access
from furiosa_npu.cluster.ask import ask
from furiosa_npu.cluster.events import Event, Source
from furiosa_npu.cluster.objects import the_node
from furiosa_npu.cluster.outbox import Outbox
from furiosa_npu.cluster.writer import Writer
from furiosa_npu.dra_driver.claim import ClaimName
from furiosa_npu.dra_driver.claim_files import ClaimFiles
from furiosa_npu.dra_driver.claim_statuses import ClaimStatuses
from furiosa_npu.dra_driver.claim_store import ClaimStore
from furiosa_npu.dra_driver.claims_api import ClaimsApi
from furiosa_npu.dra_driver.device_classes import LIST_CLASSES, lacking
from furiosa_npu.dra_driver.device_health import DeviceHealths
from furiosa_npu.dra_driver.devices import LeftOut, Tainting, offering
from furiosa_npu.dra_driver.driver import Driver
from furiosa_npu.dra_driver.driver_metrics import Counts
from furiosa_npu.dra_driver.endpoint import Endpoint
from furiosa_npu.dra_driver.holdings import Holdings
from furiosa_npu.dra_driver.looks import Looks
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.dra_driver.other_pods import OtherPods
from furiosa_npu.dra_driver.preparation import Node
from furiosa_npu.dra_driver.prepared import State
from furiosa_npu.dra_driver.preparer import Preparer
from furiosa_npu.dra_driver.publication import Publication
from furiosa_npu.dra_driver.publication_trouble import Notice
from furiosa_npu.dra_driver.publisher import Publisher
from furiosa_npu.dra_driver.restoration import Restoration
from furiosa_npu.dra_driver.restorer import Restorer
from furiosa_npu.dra_driver.settings import PROGRAM, Settings
from furiosa_npu.dra_driver.state_file import StateError, StateFile
from furiosa_npu.dra_driver.web import Web
from furiosa_npu.hardware.reading import Reading, Roots
from furiosa_npu.watch.announcements import Announcements
from furiosa_npu.watch.card_readings import CardReadings
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.cycle import Cycle
from furiosa_npu.watch.disable_list import DisableList
from furiosa_npu.watch.events import Events
from furiosa_npu.watch.host_tools import HostTools
from furiosa_npu.watch.kubelet_books import KubeletBooks
from furiosa_npu.watch.lifetime import all_of, until_stopped
from furiosa_npu.watch.memory_file import MemoryFile, boot_id
from furiosa_npu.watch.npu_pool import NpuPool
from furiosa_npu.watch.options import RESOURCES, rules
from furiosa_npu.watch.outside_users import OutsideUsers
from furiosa_npu.watch.patient_reader import PATIENCE_SECONDS, PatientReader
from furiosa_npu.watch.plane import PlaneLock, until_ours


class App:
    """One instance of the driver, made inside a running loop. `run` ends after SIGTERM or SIGINT."""

    def __init__(
        self,
        invocation: Invocation[Settings],
        node_name: str,
        log: Log,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings = invocation.settings
        self._node_name = node_name
        self._log = log
        self._clock = clock
        self._epoch = wall() - clock()
        self._boot_id = boot_id()
        self._roots = Roots(settings.devfs_root, settings.sysfs_root)
        self._conditions = Conditions(log)
        self._tools = HostTools(settings.furiosactl, settings.host_tools_dir, self._conditions)
        self._counts = Counts()
        configured = rules(settings)
        folder = f"{settings.state_dir}/dra"
        reader = PatientReader(configured.health.bounds.get("no-answer", PATIENCE_SECONDS), clock)
        readings = CardReadings(self._roots, reader, clock)
        memory = MemoryFile(folder, reader, self._conditions)
        self._plane = PlaneLock(settings.state_dir, "dra")
        self._plane_is_ours = asyncio.Event()
        self._users = OutsideUsers(settings.devfs_root, reader, clock)
        self._pool = NpuPool(
            readings,
            self._users,
            configured,
            memory.read(),
            (*RESOURCES, DRIVER),
            clock,
            self._pool_changed,
            probe=settings.active_probe,
            slicing=PARTITIONED,
        )
        access = Access(settings.kubeconfig)
        self._ask = ask_api = partial(ask, access)
        claims = ClaimsApi(ask_api)
        store = ClaimStore(StateFile(folder), ClaimFiles(settings.cdi_dir))
        self._holdings = Holdings(
            partial(self._read_state, store),
            self._boot_id,
            KubeletBooks(
                settings.pod_resources_socket,
                f"{settings.kubelet_dir}/device-plugins",
                lambda: False,
                clock,
                self._conditions,
            ),
            OtherPods(ask_api, node_name).ended,
            RESOURCES,
            claims.pods,
            self._plane_is_ours.is_set,
            clock,
        )
        self._cycle = Cycle(
            settings.cycle_seconds,
            settings.devfs_root,
            readings,
            self._pool,
            self._holdings,
            memory,
            DisableList(
                None if invocation.origins["disable"] == "command line" else invocation.config,
                PROGRAM.options,
                settings.disable,
                self._conditions,
            ),
            self._conditions,
            clock,
            self._look_at_sockets,
            self._announce,
        )
        node = Node(node_name, self._boot_id, settings.default_pe, self._edits)
        looks = Looks(self._pool, self._cycle.know, lambda: self._holdings.other_plane)
        self._restoration = Restoration(
            Restorer(store, node, claims.fetch, claims.fetch_all, looks.look, asyncio.to_thread), self._conditions, log
        )
        preparer = Preparer(store, node, claims.fetch, looks.look, asyncio.to_thread)
        driver = Driver(preparer, self._closed, self._claims_changed, self._answered, clock)
        self._healths = DeviceHealths(lambda: self._pool.pool, node_name, wall)
        self._endpoint = Endpoint(
            driver,
            self._healths.lists,
            settings.kubelet_dir,
            settings.instance,
            clock,
            log,
            self._conditions,
            self._registered,
        )
        self._publisher = Publisher(
            Publication(DRIVER, node_name), ask_api, self._endpoint.is_newest, self._notice, clock
        )
        self._statuses = ClaimStatuses(ask_api, log.warning)
        self._web = Web(
            self._pool,
            self._cycle,
            settings.cycle_seconds,
            self._holdings,
            reader,
            self._counts,
            self._conditions,
            self._publisher.unsettled,
            lambda: self._endpoint.registrations,
            clock,
        )
        self._writer = Writer(
            Outbox(Source(PROGRAM.name, node_name)), access, lambda remark: log.entry(remark.level, remark.text, {})
        )
        self._announcements = Announcements(log, self._counts.transitions.count, self._writer, node_name)
        self._left_out: tuple[LeftOut, ...] = ()
        self._retired = False
        self._offering = False
        """what is published is known, and this driver's to publish"""
        self._settling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        listener = None
        if self._settings.listen_address is not None:
            listener = Listener(self._settings.listen_address, self._web.routes, loop.add_reader, loop.remove_reader)
        self._log.info("starting", version=PROGRAM.version, node=self._node_name, instance=self._settings.instance)
        try:
            await until_stopped(self._serve(loop), self._last())
        finally:
            if listener is not None:
                listener.close()
        self._log.info("stopped by a signal: sockets removed, slices and prepared claims left as they are")

    async def _last(self) -> None:
        """What the node's condition says is the newer instance's to say, where there is one."""
        if self._endpoint.is_newest():
            await self._announcements.last()

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        events = Events(
            self._roots,
            self._endpoint.folders,
            loop.add_reader,
            self._conditions,
            on_devices=self._cycle.devices_changed,
            on_opened=self._cycle.users_changed if self._users.visible and not self._settings.active_probe else None,
            on_folder=self._endpoint.wake,
        )
        self._tools.furiosactl()
        await all_of(
            # Serves while the other plane hands out cards, too: what is prepared must be unprepared.
            self._own_plane(),
            self._restoration.run(),
            self._endpoint.run(),
            self._cycle.look(events),
            self._cycle.settle(),
            self._publish(),
            self._statuses.run(),
        )

    async def _own_plane(self) -> None:
        """Not to be had by a driver that retires: the device plugin waits for it."""
        if self._settings.retire:
            await self._cycle.know()
            await self._take_in()
            return
        await until_ours(self._plane, self._conditions)
        self._plane_is_ours.set()
        await self._take_in()

    def _look_at_sockets(self) -> None:
        """Where no event tells of their folders."""
        self._endpoint.wake()

    def _registered(self) -> None:
        """A kubelet that starts deletes the node's slices."""
        if self._offering:
            self._publisher.doubt()

    async def _publish(self) -> None:
        if not self._settings.retire:
            await self._plane_is_ours.wait()
        await self._cycle.know()
        while not self._holdings.known:
            await asyncio.sleep(self._settings.cycle_seconds)
            await self._take_in()
        self._offering = True
        self._offer()
        for notice in lacking((await self._ask([LIST_CLASSES]))[0]):
            self._notice(notice)
        await self._publisher.run()

    def _closed(self) -> str | None:
        """Why nothing new is prepared."""
        if self._settings.retire:
            return "this driver retires (--retire=on): it prepares nothing new"
        if self._restoration.pending is not None:
            return self._restoration.pending
        if not self._plane_is_ours.is_set():
            return "the other plane hands out this node's cards"
        if not self._holdings.known:
            return "the kubelet does not say yet which cards pods hold that the device plugin served"
        return None

    def _offer(self) -> None:
        if not self._offering:
            return
        if self._settings.retire:
            self._publisher.offer(())
            return
        effect = self._settings.failed_taint
        offered = offering(
            self._pool.pool, self._pool.ledger.units, self._holdings.other_plane, Tainting(self._epoch, effect)
        )
        if offered.left_out != self._left_out:
            self._left_out = offered.left_out
            for unit, reason in offered.left_out:
                self._log.info("not published", unit=unit, reason=reason)
        self._publisher.offer(offered.cards)

    def _pool_changed(self) -> None:
        self._cycle.pool_changed()
        self._healths.changed()
        self._offer()
        self._say_status()
        self._announce()

    def _announce(self) -> None:
        """Of whole cards: what is wrong with one is wrong with its parts."""
        cards = {unit_id: unit for unit_id, unit in self._pool.pool.items() if unit.card.pes is None}
        self._announcements.say(cards, self._web.holders(), self._pool.unread)

    def _say_status(self) -> None:
        state = self._holdings.state
        if state is not None:
            here = [claim for claim in state.values() if claim.boot_id == self._boot_id]
            self._statuses.want(here, self._pool.pool, self._epoch)
            if self._settings.retire:
                self._tell_retirement(len(here))

    def _tell_retirement(self, left: int) -> None:
        if left:
            self._conditions.trouble("retirement", f"{left} claims are prepared yet: their pods have to end")
        elif not self._retired:
            self._retired = True
            self._conditions.well("retirement")
            self._log.info("no claim is left: this driver can be deleted, and the device plugin hands out the cards")

    def _claims_changed(self) -> None:
        """Something was prepared or unprepared, perhaps."""
        self._settling = asyncio.create_task(self._take_in())

    async def _take_in(self) -> None:
        """What is prepared now; the cycle looks again each second, as long as something is."""
        if self._pool.settle(await self._holdings.observe(self._pool.ledger)):
            self._cycle.pod_ended()
        self._say_status()

    async def _read_state(self, store: ClaimStore) -> State | None:
        def work() -> State:
            with store.locked() as locked:
                return locked.read()

        try:
            return await asyncio.to_thread(work)
        except StateError:
            return None  # whoever prepares says so

    def _answered(self, call: str, named: ClaimName, reason: str | None, seconds: float) -> None:
        self._counts.answer(call, "answered" if reason is None else "refused", seconds)
        if reason is None:
            self._log.info(f"{call} answered", claim=str(named), seconds=round(seconds, 3))
        else:
            self._log.warning(f"{call} refused", reason=reason)

    def _notice(self, notice: Notice) -> None:
        self._log.entry(notice.level, notice.text, {})
        if notice.event is not None:
            self._writer.say(Event(the_node(self._node_name), "Warning", notice.event, notice.text))

    def _edits(self, cards: Sequence[Reading], form: PeForm) -> ContainerEdits:
        return container_edits(cards, form, self._roots, self._tools.furiosactl())
