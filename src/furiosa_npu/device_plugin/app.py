"""The device plugin's process: makes its parts, wires them, runs them, ends them."""

import asyncio
import time
from collections.abc import Callable, Sequence

from furiosa_npu.agent.http import Listener
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.container_edits import ContainerEdits, container_edits
from furiosa_npu.cluster.api import SERVICE_ACCOUNT, Access
from furiosa_npu.cluster.events import Source
from furiosa_npu.cluster.node import EXPECTED_NODE_NAME, is_node_name
from furiosa_npu.cluster.outbox import Outbox
from furiosa_npu.cluster.writer import Writer
from furiosa_npu.device_plugin.endpoint import Endpoint
from furiosa_npu.device_plugin.injector import ApiNode, Injector
from furiosa_npu.device_plugin.node_specification import NodeSpecification
from furiosa_npu.device_plugin.plugin_metrics import Counts
from furiosa_npu.device_plugin.resource_plugin import ResourcePlugin
from furiosa_npu.device_plugin.settings import PROGRAM, Settings
from furiosa_npu.device_plugin.web import Web
from furiosa_npu.hardware.reading import Reading, Roots
from furiosa_npu.watch.announcements import Announcements
from furiosa_npu.watch.card_readings import CardReadings
from furiosa_npu.watch.claimed_cards import CLAIMS, BooksWithClaims, ClaimedCards, ClaimsUnknown
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
from furiosa_npu.watch.plane import PLANE_SECONDS, PlaneLock, until_ours


class App:
    """One device plugin, made inside a running loop. `run` ends after SIGTERM or SIGINT."""

    def __init__(self, invocation: Invocation[Settings], log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings = invocation.settings
        self._roots = Roots(settings.devfs_root, settings.sysfs_root)
        self._log = log
        self._conditions = Conditions(log)
        self._tools = HostTools(settings.furiosactl, settings.host_tools_dir, self._conditions)
        self._counts = Counts(RESOURCES)
        configured = rules(settings)
        reader = PatientReader(configured.health.bounds.get("no-answer", PATIENCE_SECONDS), clock)
        readings = CardReadings(self._roots, reader, clock)
        memory = MemoryFile(settings.state_dir, reader, self._conditions)
        self._plane = PlaneLock(settings.state_dir, "device-plugin")
        self._plane_is_ours = asyncio.Event()
        self._users = OutsideUsers(settings.devfs_root, reader, clock)
        self._pool = NpuPool(
            readings,
            self._users,
            configured,
            memory.read(),
            (*RESOURCES, CLAIMS),
            clock,
            self._pool_changed,
            probe=settings.active_probe,
            held_bad_is_unhealthy=settings.held_bad_is_unhealthy,
        )
        self._claimed = ClaimedCards(settings.state_dir, boot_id())
        self._books = BooksWithClaims(
            KubeletBooks(
                settings.pod_resources_socket,
                settings.device_plugins_dir,
                self._send_lists_again,
                clock,
                self._conditions,
            ),
            self._claimed,
        )
        self._cycle = Cycle(
            settings.cycle_seconds,
            settings.devfs_root,
            readings,
            self._pool,
            self._books,
            memory,
            DisableList(
                None if invocation.origins["disable"] == "command line" else invocation.config,
                PROGRAM.options,
                settings.disable,
                self._conditions,
            ),
            self._conditions,
            clock,
            self._folder_changed,
            self._announce,
        )
        writer = self._writer()
        self._injector = Injector(
            settings.injection,
            NodeSpecification(settings.cdi_dir, self._roots, self._tools.furiosactl),
            self._edits,
            writer if isinstance(writer, str) else ApiNode(Access(settings.kubeconfig), settings.node_name or ""),
            self._cycle.know,
            self._conditions,
            log,
        )
        self._plugins = {
            resource: ResourcePlugin(
                resource,
                self._pool,
                self._injector,
                self._streams_changed,
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
            self._books,
            self._endpoints,
            reader,
            self._counts,
            self._conditions,
            clock,
        )
        if isinstance(writer, str):
            log.info(f"no events and no node condition ({writer}): reasons stand here, at /status and at /metrics")
        self._announcements = Announcements(
            log, self._counts.transitions.count, None if isinstance(writer, str) else writer, settings.node_name or ""
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
        events = Events(
            self._roots,
            (self._settings.device_plugins_dir,),
            loop.add_reader,
            self._conditions,
            on_devices=self._cycle.devices_changed,
            # Our own probes would wake us.
            on_opened=self._cycle.users_changed if self._users.visible and not self._settings.active_probe else None,
            on_folder=self._folder_changed,
        )
        self._tools.furiosactl()
        offers = [self._offer(endpoint) for endpoint in self._endpoints.values()]
        await all_of(
            self._own_plane(),
            *offers,
            self._cycle.look(events),
            self._cycle.settle(),
            self._injector.decide(),
        )

    async def _own_plane(self) -> None:
        """Not before it is known what claims hold of the cards: their pods outlive the DRA driver."""
        await until_ours(self._plane, self._conditions)
        while True:
            try:
                claimed = self._claimed.look()
                break
            except ClaimsUnknown as error:
                self._conditions.trouble("claims", str(error))
                await asyncio.sleep(PLANE_SECONDS)
        self._conditions.well("claims")
        if claimed:
            await self._cycle.know()
            self._pool.settle(await self._books.at_start())
        self._plane_is_ours.set()

    async def _offer(self, endpoint: Endpoint) -> None:
        """Not before the other plane has let go of this node's cards."""
        await self._plane_is_ours.wait()
        await endpoint.run()

    def _writer(self) -> Writer | str:
        """Or why nobody can be told, or asked, through the API server."""
        node = self._settings.node_name
        if node is None or not is_node_name(node):
            found = "none" if node is None else repr(node)
            return f"--node-name: found {found}, expected {EXPECTED_NODE_NAME}"
        writer = Writer(
            Outbox(Source(PROGRAM.name, node)),
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
        if not self._users.visible:
            self._log.info("other processes' open files cannot be seen: who uses a card is not known by name")

    def _pool_changed(self) -> None:
        self._cycle.pool_changed()
        self._injector.pool_changed(self._pool.pool)
        for plugin in self._plugins.values():
            plugin.changed()
        self._announce()

    def _announce(self) -> None:
        self._announcements.say(self._pool.pool, self._web.holders(), self._pool.unread)

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

    def _edits(self, cards: Sequence[Reading]) -> ContainerEdits:
        return container_edits(cards, self._settings.default_pe, self._roots, self._tools.furiosactl())
