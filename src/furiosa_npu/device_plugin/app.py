"""The device plugin's process: wires readers, pool, resources, the kubelet's books and the probes, and keeps time."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence

from furiosa_npu.agent.address import Address
from furiosa_npu.agent.http import METRICS, TEXT, Listener
from furiosa_npu.agent.log import Log
from furiosa_npu.agent.metrics import render_metrics
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.census import Rules
from furiosa_npu.allocation.container_edits import ContainerEdits, container_edits
from furiosa_npu.device_plugin import pages
from furiosa_npu.device_plugin.conditions import Conditions
from furiosa_npu.device_plugin.disable_list import DisableList
from furiosa_npu.device_plugin.endpoint import Endpoint
from furiosa_npu.device_plugin.events import Events
from furiosa_npu.device_plugin.host_tools import HostTools
from furiosa_npu.device_plugin.kubelet_books import KubeletBooks
from furiosa_npu.device_plugin.npu_pool import CardReaders, NpuPool
from furiosa_npu.device_plugin.resource_plugin import ResourcePlugin
from furiosa_npu.device_plugin.settings import PROGRAM, RESOURCES, Settings
from furiosa_npu.hardware.cards import read_card, read_cards
from furiosa_npu.hardware.reading import Reading, Roots

CYCLE_SECONDS = 1.0
"""Between two looks at the cards: the promise is that a good idle card is offered within 2 s."""
SOON_SECONDS = 0.2
"""Before the next look while a card waits for a second reading to decide."""
SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path


class App:
    """One device plugin. `run` ends after SIGTERM or SIGINT."""

    def __init__(self, invocation: Invocation[Settings], log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings = invocation.settings
        self._roots = Roots(settings.devfs_root, settings.sysfs_root)
        self._log = log
        self._clock = clock
        self._conditions = Conditions(log)
        self._disable = DisableList(invocation, self._conditions)
        self._tools = HostTools(settings.furiosactl, settings.host_tools_dir, self._conditions)
        self._due = asyncio.Event()
        self._answers: dict[tuple[str, str, str], int] = {}
        self._said: dict[str, tuple[str, str]] = {}
        rules = Rules(settings.family, settings.disable, settings.unknown_occupancy, settings.default_pe)
        readers = CardReaders(
            all=lambda: read_cards(self._roots),
            one=lambda family, index: read_card(self._roots, family, index),
        )
        self._pool = NpuPool(readers, rules, RESOURCES, clock, self._pool_changed)
        self._plugins = {
            resource: ResourcePlugin(resource, self._pool, self._edits, self._streams_changed, self._answered)
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
        listener = self._listen(self._settings.listen_address, loop)
        events = Events(
            self._roots,
            self._settings.device_plugins_dir,
            loop.add_reader,
            self._conditions,
            on_devices=self._due.set,
            on_folder=self._folder_changed,
        )
        self._introduce()
        self._tools.furiosactl()
        self._scan()
        self._pool.settle(await self._books.at_start())
        events.renew()
        tasks = [asyncio.create_task(endpoint.run()) for endpoint in self._endpoints.values()]
        tasks.append(asyncio.create_task(self._cycle(events)))
        stopping = asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopping):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        if listener is not None:
            listener.close()
        if stopping in done:
            self._log.info("stopped by a signal: streams closed, sockets removed")
            return
        for result in results:
            if isinstance(result, Exception):
                raise result
        raise RuntimeError("a task of the plugin came to an end that nobody asked for")

    async def _cycle(self, events: Events) -> None:
        while True:
            try:
                async with asyncio.timeout(SOON_SECONDS if self._pool.undecided else CYCLE_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            events.renew()
            if not events.of_folder:
                self._folder_changed()
            self._scan()
            if self._pool.ledger.entries:
                self._pool.settle(await self._books.observe(self._pool.ledger))

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

    def _scan(self) -> None:
        self._pool.rules = self._pool.rules._replace(disable=self._disable.now())
        self._pool.scan()

    def _folder_changed(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.wake()

    def _streams_changed(self, resource: str) -> None:
        self._endpoints[resource].streams_changed()

    def _send_lists_again(self) -> bool:
        sent = [plugin.send_again() for plugin in self._plugins.values()]
        return any(sent)

    def _pool_changed(self) -> None:
        for plugin in self._plugins.values():
            plugin.changed()
        for unit in self._pool.pool.values():
            now = (unit.verdict.state, unit.verdict.reason)
            if self._said.get(unit.id) != now:
                self._said[unit.id] = now
                say = self._log.info if now[0] in ("idle", "allocated", "disabled", "starting") else self._log.warning
                say("card", npu=unit.card.name, uuid=unit.id, state=now[0], reason=now[1] or None)

    def _answered(self, call: str, resource: str, reason: str | None) -> None:
        key = (call, resource, "answered" if reason is None else "refused")
        self._answers[key] = self._answers.get(key, 0) + 1
        if reason is None:
            self._log.info(f"{call} answered", resource=resource)
        else:
            self._log.warning(f"{call} refused", resource=resource, reason=reason)

    def _edits(self, cards: Sequence[Reading]) -> ContainerEdits:
        return container_edits(cards, self._settings.default_pe, self._roots, self._tools.furiosactl())

    def _listen(self, address: Address | None, loop: asyncio.AbstractEventLoop) -> Listener | None:
        if address is None:
            return None
        return Listener(
            address,
            {
                "/livez": lambda: (200, TEXT, "ok\n"),
                "/readyz": self._ready,
                "/metrics": lambda: (200, METRICS, self._metrics()),
            },
            loop.add_reader,
            loop.remove_reader,
        )

    def _ready(self) -> tuple[int, str, str]:
        status, body = pages.ready(self._conditions.troubles(), self._pool.scanned_at, self._clock())
        return status, TEXT, body

    def _metrics(self) -> str:
        holders = {unit_id: self._pool.ledger.holders(unit_id) for unit_id in self._pool.pool}
        registrations = {resource: endpoint.registrations for resource, endpoint in self._endpoints.items()}
        return render_metrics(pages.metrics(self._pool.pool, holders, self._answers, registrations))
