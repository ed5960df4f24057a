"""The device plugin's process: makes its parts, wires them, runs them, ends them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from furiosa_npu.agent.http import Listener
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.metrics import Page
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.cluster.api import SERVICE_ACCOUNT, Access
from furiosa_npu.cluster.events import Source
from furiosa_npu.cluster.node import EXPECTED_NODE_NAME, is_node_name
from furiosa_npu.cluster.outbox import Outbox
from furiosa_npu.cluster.retry import chance, start_delay_seconds
from furiosa_npu.cluster.writer import Writer
from furiosa_npu.device_plugin.checkpoint_renewal import CheckpointRenewal
from furiosa_npu.device_plugin.endpoint import Endpoint
from furiosa_npu.device_plugin.injector import ApiNode, Injector
from furiosa_npu.device_plugin.node_specification import NodeSpecification
from furiosa_npu.device_plugin.plugin_metrics import Counts, page
from furiosa_npu.device_plugin.resource_plugin import ResourcePlugin
from furiosa_npu.device_plugin.settings import PROGRAM, Settings
from furiosa_npu.watch.announcements import Announcements
from furiosa_npu.watch.card_metrics import WatchFigures
from furiosa_npu.watch.card_watch import CardWatch
from furiosa_npu.watch.claimed_cards import CLAIMS, PART, BooksWithClaims, ClaimedCards, ClaimsUnknown
from furiosa_npu.watch.kubelet_books import KubeletBooks, PodRef
from furiosa_npu.watch.lifetime import all_of, until_stopped
from furiosa_npu.watch.memory_file import boot_id
from furiosa_npu.watch.options import RESOURCES
from furiosa_npu.watch.plane import PLANE_SECONDS, until_ours
from furiosa_npu.watch.plane_lock import PlaneLock
from furiosa_npu.watch.web import Web, by_unit


class App:
    """One device plugin, made inside a running loop. `run` ends after SIGTERM or SIGINT."""

    def __init__(self, invocation: Invocation[Settings], log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings = invocation.settings
        self._log = log
        self._counts = Counts(RESOURCES)
        self._plane = PlaneLock(settings.state_dir, "device-plugin")
        self._plane_is_ours = asyncio.Event()
        self._watch = watch = CardWatch(
            invocation,
            PROGRAM.options,
            settings.state_dir,
            (*RESOURCES, CLAIMS),
            log,
            clock,
            self._pool_changed,
            held_bad_is_unhealthy=settings.held_bad_is_unhealthy,
        )
        self._conditions, self._pool = watch.conditions, watch.pool
        self._claimed = ClaimedCards(settings.state_dir, settings.cdi_dir, boot_id())
        self._books = BooksWithClaims(
            KubeletBooks(
                settings.pod_resources_socket,
                settings.device_plugins_dir,
                self._send_lists_again,
                clock,
                self._conditions,
            ),
            self._claimed,
            self._conditions,
        )
        self._cycle = watch.cycle(self._books, self._folder_changed, self._announce)
        self._start_delay = delay = start_delay_seconds(settings.start_jitter_seconds, chance())
        """seconds, until the API server is asked"""
        self._writer = writer = self._made_writer(clock)
        self._injector = Injector(
            settings.injection,
            NodeSpecification(settings.cdi_dir, watch.roots, watch.tools.furiosactl),
            lambda cards: watch.edits(cards, settings.default_pe),
            writer
            if isinstance(writer, str)
            else ApiNode(Access(settings.kubeconfig), settings.node_name or "", delay),
            self._cycle.know,
            self._conditions,
            log,
        )
        renewal = CheckpointRenewal(self._send_lists_again, asyncio.get_running_loop().call_later)
        self._plugins = {
            resource: ResourcePlugin(
                resource,
                self._pool,
                self._injector,
                self._streams_changed,
                renewal.list_changed,
                self._answered,
                self._cycle.know,
                clock,
            )
            for resource in RESOURCES
        }
        self._endpoints = {
            resource: Endpoint(plugin, settings.device_plugins_dir, clock, log, self._conditions)
            for resource, plugin in self._plugins.items()
        }
        self._web = Web(
            self._pool,
            self._cycle,
            settings.cycle_seconds,
            self._books.holders,
            self._conditions.troubles,
            self._metrics,
            clock,
        )
        if isinstance(writer, str):
            log.info(f"no events and no node condition ({writer}): reasons stand here, at /status and at /metrics")
        self._announcements = Announcements(
            log,
            self._counts.transitions.count,
            None if isinstance(writer, str) else writer,
            Source(PROGRAM.name, settings.node_name or ""),
        )

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        listener = None
        if self._settings.listen_address is not None:
            listener = Listener(self._settings.listen_address, self._web.routes, loop.add_reader, loop.remove_reader)
        self._introduce()
        try:
            await until_stopped(self._serve(loop), self._announcements.last())
        finally:
            if listener is not None:
                listener.close()
        self._log.info("stopped by a signal: streams closed, sockets removed")

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends when cancelled, or when a part of it fails."""
        folders = (self._settings.device_plugins_dir,)
        events = self._watch.events(folders, loop.add_reader, self._cycle, self._folder_changed)
        self._watch.tools.furiosactl()
        offers = [self._offer(endpoint) for endpoint in self._endpoints.values()]
        await all_of(
            self._own_plane(),
            *offers,
            self._cycle.look(events),
            self._cycle.settle(),
            self._injector.decide(),
            self._remove_startup_taint(),
        )

    async def _own_plane(self) -> None:
        """Not before it is known what claims hold of the cards: their pods outlive the DRA driver."""
        await until_ours(self._plane, self._conditions)
        while True:
            try:
                claimed = self._claimed.look()
                break
            except ClaimsUnknown as error:
                self._conditions.trouble(PART, str(error))
                await asyncio.sleep(PLANE_SECONDS)
        self._conditions.well(PART)
        if claimed:
            await self._cycle.know()
            self._pool.settle(await self._books.at_start())
        self._watch.own_plane()
        self._plane_is_ours.set()
        await self._cycle.seen()
        self._announcements.own_plane()

    async def _remove_startup_taint(self) -> None:
        key, node = self._settings.startup_taint, self._settings.node_name
        if key is None:
            return
        from furiosa_npu.cluster.ask import ask
        from furiosa_npu.watch.startup_taint import PART, StartupTaint, remove_once_offered

        if isinstance(self._writer, str) or node is None:
            self._conditions.trouble(PART, f"{key} stays: {self._writer}")
            return
        await self._plane_is_ours.wait()
        await asyncio.sleep(self._start_delay)
        taint = StartupTaint(key, node, RESOURCES)
        asked = partial(ask, Access(self._settings.kubeconfig))
        await remove_once_offered(taint, self._is_offering, asked, self._conditions, self._log)

    def _is_offering(self) -> bool:
        return any(offer.healthy for resource in RESOURCES for offer in self._pool.offers(resource))

    async def _offer(self, endpoint: Endpoint) -> None:
        """Not before the other plane has let go of this node's cards."""
        await self._plane_is_ours.wait()
        await endpoint.run()

    def _made_writer(self, clock: Callable[[], float]) -> Writer | str:
        """Or why nobody can be told, or asked, through the API server."""
        node = self._settings.node_name
        if node is None or not is_node_name(node):
            found = "none" if node is None else repr(node)
            return f"--node-name: found {found}, expected {EXPECTED_NODE_NAME}"
        writer = Writer(
            Outbox(Source(PROGRAM.name, node), not_before=clock() + self._start_delay),
            Access(self._settings.kubeconfig),
            lambda remark: self._log.entry(remark.level, remark.text, {}),
        )
        return writer if writer.enabled else f"no --kubeconfig, and no pod's token at {SERVICE_ACCOUNT}/token"

    def _introduce(self) -> None:
        settings = self._settings
        self._log.info(
            "starting",
            version=PROGRAM.version,
            node=settings.node_name,
            devfs_root=settings.devfs_root,
            sysfs_root=settings.sysfs_root,
            resources=",".join(RESOURCES),
        )
        if not self._watch.users.visible:
            self._log.info("other processes' open files cannot be seen: who uses a card is not known by name")

    def _pool_changed(self) -> None:
        self._cycle.pool_changed()
        self._injector.pool_changed(self._pool.pool)
        for plugin in self._plugins.values():
            plugin.changed()
        self._announce()

    def _announce(self) -> None:
        """Of containers that pod-resources tells of by name."""
        held = by_unit(self._pool.ledger, lambda holding: self._books.containers.get(holding, ()))
        self._announcements.say(self._pool.pool, held, self._pool.unread)

    def _metrics(self, current: Mapping[Holding, Sequence[PodRef]], scanned_seconds_ago: float | None) -> Page:
        registrations = {resource: endpoint.registrations for resource, endpoint in self._endpoints.items()}
        troubles = tuple(part for part, _ in self._conditions.troubles())
        stuck, failing = self._watch.reader.stuck_threads, self._announcements.writes_failing
        figures = WatchFigures(scanned_seconds_ago, stuck, troubles, failing)
        return page(self._pool.pool, current, self._counts, registrations, figures)

    def _folder_changed(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.wake()

    def _streams_changed(self, resource: str) -> None:
        self._endpoints[resource].streams_changed()

    def _send_lists_again(self) -> bool:
        sent = [plugin.send_again() for plugin in self._plugins.values()]
        return any(sent)

    def _answered(self, call: str, resource: str, reason: str | None, seconds: float) -> None:
        self._counts.answer(call, resource, "answered" if reason is None else "refused", seconds)
        if reason is None:
            self._log.info(f"{call} answered", resource=resource)
        else:
            self._log.warning(f"{call} refused", resource=resource, reason=reason)
