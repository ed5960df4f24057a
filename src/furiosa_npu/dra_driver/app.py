"""The DRA driver's process: makes its parts, wires them, runs them, ends them."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from furiosa_npu.agent.http import Listener
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.partition import PARTITIONED
from furiosa_npu.cluster.api import Access
from furiosa_npu.cluster.ask import ask
from furiosa_npu.cluster.retry import chance, start_delay_seconds
from furiosa_npu.dra_driver.device_health import DeviceHealths
from furiosa_npu.dra_driver.driver_reports import DriverReports
from furiosa_npu.dra_driver.endpoint import Endpoint
from furiosa_npu.dra_driver.names import DRIVER, DRIVER_TWICE
from furiosa_npu.dra_driver.node_claims import NodeClaims
from furiosa_npu.dra_driver.plugin_successor import PluginSuccessor
from furiosa_npu.dra_driver.published_cards import PublishedCards
from furiosa_npu.dra_driver.retirement import Retirement
from furiosa_npu.dra_driver.settings import PROGRAM, Settings
from furiosa_npu.watch.card_watch import CardWatch
from furiosa_npu.watch.lifetime import all_of, until_stopped
from furiosa_npu.watch.options import RESOURCES
from furiosa_npu.watch.plane import until_ours
from furiosa_npu.watch.plane_lock import PlaneLock


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
        self._wall = wall
        folder = f"{settings.state_dir}/dra"
        self._plane = PlaneLock(settings.state_dir, "dra")
        self._plane_is_ours = asyncio.Event()
        self._watch = watch = CardWatch(
            invocation,
            PROGRAM.options,
            folder,
            (*RESOURCES, DRIVER),
            log,
            clock,
            self._pool_changed,
            slicing=PARTITIONED,
        )
        access = Access(settings.kubeconfig)
        ask_api = partial(ask, access)
        not_before = clock() + start_delay_seconds(settings.start_jitter_seconds, chance())
        self._reports = reports = DriverReports(node_name, watch, access, not_before, log)
        self._claims = claims = NodeClaims(
            settings,
            folder,
            node_name,
            watch,
            ask_api,
            self._plane_is_ours.is_set,
            self._look_at_sockets,
            reports,
            log,
            clock,
            self._epoch,
        )
        self._healths = DeviceHealths(lambda: watch.pool.pool, node_name, wall)
        self._endpoint = endpoint = Endpoint(
            claims.driver,
            self._healths.lists,
            settings.kubelet_dir,
            settings.instance,
            clock,
            log,
            watch.conditions,
            self._registered,
            partial(reports.say_of_node, DRIVER_TWICE),
        )
        self._successor = PluginSuccessor(
            RESOURCES,
            settings.kubelet_dir,
            settings.instance,
            lambda: claims.holdings.others_over,
            clock,
            log,
            watch.conditions,
        )
        self._published = PublishedCards(
            settings,
            node_name,
            watch,
            claims,
            ask_api,
            not_before,
            endpoint.is_newest,
            reports,
            log,
            clock,
            self._epoch,
        )
        self._publisher = self._published.publisher
        self._web = reports.web(
            claims.cycle,
            settings.cycle_seconds,
            claims.holdings.holders,
            self._publisher.unsettled,
            lambda: endpoint.registrations,
            clock,
        )

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
            await self._reports.announcements.last()

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        events = self._watch.events(self._endpoint.folders, loop.add_reader, self._claims.cycle, self._endpoint.wake)
        self._watch.tools.furiosactl()
        # The plane is not to be had by a driver that retires: the device plugin waits for it.
        own_plane = (self._retire(),) if self._settings.retire else (self._own_plane(), self._publish())
        await all_of(
            # Serves while the other plane hands out cards, too: what is prepared must be unprepared.
            *own_plane,
            self._claims.restoration.run(),
            self._be_found(),
            self._claims.cycle.look(events),
            self._claims.cycle.settle(),
            self._publisher.run(),
            self._claims.statuses.run(),
            self._succeed(),
            self._published.remove_startup_taint(),
        )

    async def _be_found(self) -> None:
        await self._claims.driver.until_open()
        await self._endpoint.run()

    async def _retire(self) -> None:
        """Takes the slices back; for that no card need be known."""
        self._publisher.offer(())
        await Retirement(self._log).run(self._claims, self._is_last, self._settings.cycle_seconds)

    def _is_last(self) -> bool:
        """No other instance prepares, and by no slice anything is allocated."""
        return self._endpoint.is_alone() and self._publisher.is_settled()

    async def _own_plane(self) -> None:
        # An earlier driver that died may have left slices, by which claims would be allocated and never prepared.
        await until_ours(self._plane, self._watch.conditions, lambda: self._publisher.offer(()))
        self._watch.own_plane()
        self._plane_is_ours.set()
        await self._claims.cycle.seen()
        await self._claims.take_in()
        self._reports.announcements.own_plane()

    async def _publish(self) -> None:
        await self._plane_is_ours.wait()
        await self._published.begin()

    async def _succeed(self) -> None:
        """Not in the place of a device plugin that lives."""
        await self._plane_is_ours.wait()
        await self._successor.run()

    def _look_at_sockets(self) -> None:
        """Where no event tells of their folders."""
        self._endpoint.wake()

    def _registered(self) -> None:
        """A kubelet that starts deletes the node's slices, perhaps after they were published. And until now another
        instance was called."""
        self._publisher.doubt()
        self._claims.changed()

    def _epoch(self) -> float:
        """Seconds since 1970 at 0 of the clock, as the wall clock says now: it may have been set since the start."""
        return self._wall() - self._clock()

    def _pool_changed(self) -> None:
        self._claims.cycle.pool_changed()
        self._healths.changed()
        self._published.pool_changed()
        self._claims.say_status()
        self._reports.announce(self._claims.holdings.holders)
