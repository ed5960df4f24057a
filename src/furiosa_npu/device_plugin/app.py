"""The device plugin's process: wires readers, pool, resources, the kubelet's books and the probes, and keeps time."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence

from furiosa_npu.agent.http import METRICS, TEXT, Listener
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.metrics import Page, render_metrics
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.container_edits import ContainerEdits, container_edits
from furiosa_npu.allocation.ledger import Holding
from furiosa_npu.device_plugin import pages, plugin_metrics
from furiosa_npu.device_plugin.card_readings import CardReadings
from furiosa_npu.device_plugin.conditions import Conditions
from furiosa_npu.device_plugin.disable_list import DisableList
from furiosa_npu.device_plugin.endpoint import Endpoint
from furiosa_npu.device_plugin.events import Events
from furiosa_npu.device_plugin.host_tools import HostTools
from furiosa_npu.device_plugin.kubelet_books import KubeletBooks, PodRef
from furiosa_npu.device_plugin.memory_file import MemoryFile
from furiosa_npu.device_plugin.npu_pool import NpuPool
from furiosa_npu.device_plugin.outside_users import OutsideUsers
from furiosa_npu.device_plugin.patient_reader import PatientReader
from furiosa_npu.device_plugin.resource_plugin import ResourcePlugin
from furiosa_npu.device_plugin.settings import PROGRAM, RESOURCES, Settings, rules
from furiosa_npu.hardware.reading import Reading, Roots

SOON_SECONDS = 0.2
"""Before the next look while a card waits for a second reading to decide."""
BURST_SECONDS = 0.02
"""From an event to the look that it brings: a driver that loads makes a hundred files."""
PATIENCE_SECONDS = 2.0
"""With a driver that does not answer, where the sign that says so is turned off."""
MEMORY_CYCLES = 10
"""So often is looked whether something is to be remembered where no state changed: that a heartbeat moved."""
SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path


class App:
    """One device plugin, made inside a running loop. `run` ends after SIGTERM or SIGINT."""

    def __init__(self, invocation: Invocation[Settings], log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings = invocation.settings
        self._roots = Roots(settings.devfs_root, settings.sysfs_root)
        self._log = log
        self._clock = clock
        self._conditions = Conditions(log)
        self._disable = DisableList(invocation, self._conditions)
        self._tools = HostTools(settings.furiosactl, settings.host_tools_dir, self._conditions)
        self._memory = MemoryFile(settings.state_dir, self._conditions)
        self._due = asyncio.Event()
        self._devices_changed = True
        self._users_changed = True
        self._held = asyncio.Event()
        self._turned_at = clock()
        self._changed = False
        self._scans = 0
        self._counts = plugin_metrics.Counts(RESOURCES)
        self._said: dict[str, tuple[str, ...]] = {}
        configured = rules(settings)
        self._reader = PatientReader(configured.health.bounds.get("no-answer", PATIENCE_SECONDS), clock)
        self._readings = CardReadings(self._roots, self._reader)
        self._users = OutsideUsers(settings.devfs_root, self._reader, clock)
        self._pool = NpuPool(
            self._readings,
            self._users,
            configured,
            self._memory.read(),
            RESOURCES,
            clock,
            self._pool_changed,
            probe=settings.active_probe,
            held_bad_is_unhealthy=settings.held_bad_is_unhealthy,
        )
        self._plugins = {
            resource: ResourcePlugin(
                resource, self._pool, self._edits, self._streams_changed, self._answered, self._know_the_books, clock
            )
            for resource in RESOURCES
        }
        self._endpoints = {
            resource: Endpoint(plugin, settings.device_plugins_dir, clock, log, self._conditions)
            for resource, plugin in self._plugins.items()
        }
        self._books = KubeletBooks(
            settings.pod_resources_socket, settings.device_plugins_dir, self._send_lists_again, clock, self._conditions
        )

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        listener = self._listen(loop)
        self._introduce()
        serving = asyncio.create_task(self._serve(loop))
        stopping = asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, stopping):
            task.cancel()
        results = await asyncio.gather(serving, stopping, return_exceptions=True)
        if listener is not None:
            listener.close()
        if stopping in done:
            self._log.info("stopped by a signal: streams closed, sockets removed")
            return
        for result in results:
            if isinstance(result, Exception):
                raise result
        raise RuntimeError("a task of the plugin came to an end that nobody asked for")

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Everything is known before the first list goes out. Ends when cancelled, or when a part of it fails."""
        events = Events(
            self._roots,
            self._settings.device_plugins_dir,
            loop.add_reader,
            self._conditions,
            on_devices=self._device_event,
            # Our own probes would wake us.
            on_opened=self._opened_event if self._users.visible and not self._settings.active_probe else None,
            on_folder=self._folder_changed,
        )
        self._tools.furiosactl()
        await self._scan(events)
        self._pool.settle(await self._books.at_start())
        parts: list[Coroutine[object, object, None]] = [endpoint.run() for endpoint in self._endpoints.values()]
        tasks = [asyncio.create_task(part) for part in (*parts, self._look(events), self._settle())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, events: Events) -> None:
        """Looks at all cards in each cycle, and where something happened."""
        loop = asyncio.get_running_loop()
        while True:
            self._turned_at = self._clock()
            seconds = SOON_SECONDS if self._pool.undecided else self._settings.cycle_seconds
            timer = loop.call_later(seconds, self._due.set)
            await self._due.wait()
            timer.cancel()
            if self._devices_changed or self._users_changed:
                await asyncio.sleep(BURST_SECONDS)
            self._due.clear()
            await self._scan(events)

    async def _scan(self, events: Events) -> None:
        events.renew()
        if not events.of_folder:
            self._folder_changed()
        disable = self._disable.now()
        if disable != self._pool.rules.disable:
            self._pool.rules = self._pool.rules._replace(disable=disable)
        anew, users_anew = self._devices_changed or not events.of_devices, self._users_changed
        self._devices_changed = self._users_changed = False
        await self._pool.scan(anew=anew, users_anew=users_anew)
        if anew:
            events.renew(self._device_paths())
        folder = self._readings.host_hangs()
        if folder is None:
            self._conditions.well("host")
        else:
            self._conditions.trouble("host", f"no answer from {folder}: cards that come or go are not seen")
        self._scans += 1
        if self._changed or self._scans % MEMORY_CYCLES == 0:
            self._changed = False
            await self._remember()

    async def _remember(self) -> None:
        job = self._memory.to_write({unit.id: unit.verdict for unit in self._pool.pool.values()})
        if job is not None:
            answers = await self._reader.ask([job])
            if self._memory.key in answers:
                self._memory.written(answers[self._memory.key])

    async def _settle(self) -> None:
        """Asks the kubelet in each cycle who holds what, as long as anybody does."""
        while True:
            if not self._pool.ledger.entries:
                self._held.clear()
                await self._held.wait()
            await asyncio.sleep(self._settings.cycle_seconds)
            if self._pool.settle(await self._books.observe(self._pool.ledger)):
                self._users_changed = True  # whoever still has the card open outlives its pod
                self._due.set()

    async def _know_the_books(self) -> None:
        """Before the first list: what the kubelet had handed out under an earlier agent."""
        if not self._books.answered:
            self._pool.settle(await self._books.at_start())
            self._books.answered = True

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
        if settings.kubeconfig is None and not os.path.exists(SERVICE_ACCOUNT_TOKEN):
            self._log.info("no API server (no --kubeconfig, no service account): reasons stand here and at /metrics")
        if not self._users.visible:
            self._log.info("other processes' open files cannot be seen: who uses a card is not known by name")

    def _device_paths(self) -> Iterator[str]:
        """Of the device files that compute."""
        for unit in self._pool.pool.values():
            for file in unit.card.compute_files:
                yield f"{self._roots.devfs}/{file.path}"

    def _device_event(self) -> None:
        self._devices_changed = self._users_changed = True
        self._due.set()

    def _opened_event(self) -> None:
        self._users_changed = True
        self._due.set()

    def _folder_changed(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.wake()

    def _streams_changed(self, resource: str) -> None:
        self._endpoints[resource].streams_changed()

    def _send_lists_again(self) -> bool:
        sent = [plugin.send_again() for plugin in self._plugins.values()]
        return any(sent)

    def _pool_changed(self) -> None:
        self._changed = True
        if self._pool.ledger.entries:
            self._held.set()
        for plugin in self._plugins.values():
            plugin.changed()
        for unit in self._pool.pool.values():
            verdict = unit.verdict
            now = (verdict.state, verdict.reason, *(warning.text for warning in verdict.warnings))
            before = self._said.get(unit.id)
            if before != now:
                self._said[unit.id] = now
                if before is None or before[0] != verdict.state:
                    self._counts.transition(unit.id, verdict.state)
                quiet = verdict.state in ("idle", "allocated", "disabled", "starting") and not verdict.warnings
                say = self._log.info if quiet else self._log.warning
                say(
                    "card",
                    npu=unit.card.name,
                    uuid=unit.id,
                    state=verdict.state,
                    reason="; ".join(filter(None, now[1:])) or None,
                )

    def _answered(self, call: str, resource: str, reason: str | None, seconds: float) -> None:
        self._counts.answer(call, resource, "answered" if reason is None else "refused", seconds)
        if reason is None:
            self._log.info(f"{call} answered", resource=resource)
        else:
            self._log.warning(f"{call} refused", resource=resource, reason=reason)

    def _edits(self, cards: Sequence[Reading]) -> ContainerEdits:
        return container_edits(cards, self._settings.default_pe, self._roots, self._tools.furiosactl())

    def _listen(self, loop: asyncio.AbstractEventLoop) -> Listener | None:
        if self._settings.listen_address is None:
            return None
        cycle = self._settings.cycle_seconds
        shown: dict[str, Callable[[], tuple[int, str]]] = {
            "/livez": lambda: pages.live(self._turned_at, self._clock(), cycle),
            "/readyz": lambda: pages.ready(self._conditions.troubles(), self._pool.scanned_at, self._clock(), cycle),
            "/status": lambda: (200, pages.status(self._pool.pool, self._holders(), time.time() - self._clock())),
        }
        routes = {path: _as_text(page) for path, page in shown.items()}
        routes["/metrics"] = lambda: (200, METRICS, render_metrics(self._metrics()))
        return Listener(self._settings.listen_address, routes, loop.add_reader, loop.remove_reader)

    def _holders(self) -> dict[str, list[PodRef]]:
        held: dict[str, list[PodRef]] = {}
        for holding, _ in self._pool.ledger.entries:
            held.setdefault(holding.unit, []).extend(self._books.containers.get(holding, ()))
        return held

    def _metrics(self) -> Page:
        now, scanned_at = self._clock(), self._pool.scanned_at
        current: dict[Holding, Sequence[PodRef]] = {
            holding: self._books.containers.get(holding, ()) for holding, _ in self._pool.ledger.entries
        }
        return plugin_metrics.page(
            self._pool.pool,
            current,
            self._counts,
            {resource: endpoint.registrations for resource, endpoint in self._endpoints.items()},
            None if scanned_at is None else now - scanned_at,
            self._reader.stuck_threads,
        )


def _as_text(page: Callable[[], tuple[int, str]]) -> Callable[[], tuple[int, str, str]]:
    def shown() -> tuple[int, str, str]:
        status, body = page()
        return status, TEXT, body

    return shown
