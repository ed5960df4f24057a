"""One resource name towards the kubelet: translates the device plugin protocol to the pool and back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from furiosa_npu.allocation.pool import Offer
from furiosa_npu.device_plugin.injector import Injector
from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet.plugin_service import Refusal
from furiosa_npu.watch.npu_pool import NpuPool, Refused

OPTIONS = v1beta1.DevicePluginOptions(pre_start_required=True, get_preferred_allocation_available=True)


class ResourcePlugin:
    """A `DevicePlugin` (kubelet.plugin_service) for one resource name."""

    def __init__(
        self,
        resource: str,
        pool: NpuPool,
        injector: Injector,
        on_streams: Callable[[str], None],
        on_list: Callable[[], None],
        on_answer: Callable[[str, str, str | None, float], None],
        until_known: Callable[[], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        """`on_streams` is told the resource of a stream that began or ended; `on_list` is called when a list goes out
        that is another than the stream's last; `on_answer` is told the call, the resource, the reason of a refusal or
        None, and how many seconds it took. `until_known` is awaited before each stream's first list and before a card
        is handed out.
        """
        self.resource = resource
        self._pool = pool
        self._injector = injector
        self._on_streams = on_streams
        self._on_list = on_list
        self._on_answer = on_answer
        self._until_known = until_known
        self._clock = clock
        self._streams: dict[int, asyncio.Event] = {}
        self.streams_begun = 0
        """ListAndWatch streams so far: the number of the latest"""
        self._sendings = 0

    @property
    def streams(self) -> tuple[int, ...]:
        """The numbers of the open ListAndWatch streams, the oldest first: one, where a kubelet is connected."""
        return tuple(self._streams)

    def changed(self) -> None:
        """The pool changed: each stream sends its list if that differs."""
        for wake in self._streams.values():
            wake.set()

    def send_again(self) -> bool:
        """Each stream sends its list, changed or not: the kubelet then writes its checkpoint. False: no stream."""
        self._sendings += 1
        self.changed()
        return bool(self._streams)

    def options(self) -> v1beta1.DevicePluginOptions:
        return OPTIONS

    async def lists(self) -> AsyncGenerator[v1beta1.ListAndWatchResponse, None]:
        wake = asyncio.Event()
        self.streams_begun += 1
        number = self.streams_begun
        self._streams[number] = wake
        self._on_streams(self.resource)
        try:
            await self._until_known()
            sent: v1beta1.ListAndWatchResponse | None = None
            sendings = self._sendings
            while True:
                response = v1beta1.ListAndWatchResponse(tuple(map(_device, self._pool.offers(self.resource))))
                changed = response != sent
                if changed:
                    self._on_list()
                if changed or sendings != self._sendings:
                    sent, sendings = response, self._sendings
                    yield response
                await wake.wait()
                await asyncio.sleep(self._pool.instant_left(self.resource))
                wake.clear()
        finally:
            del self._streams[number]
            self._on_streams(self.resource)

    def preferred_allocation(self, request: v1beta1.PreferredAllocationRequest) -> v1beta1.PreferredAllocationResponse:
        return v1beta1.PreferredAllocationResponse(
            tuple(
                v1beta1.ContainerPreferredAllocationResponse(
                    self._pool.preferred(
                        self.resource,
                        container.available_device_ids,
                        container.must_include_device_ids,
                        container.allocation_size,
                    )
                )
                for container in request.container_requests
            )
        )

    async def allocate(self, request: v1beta1.AllocateRequest) -> v1beta1.AllocateResponse:
        started = self._clock()
        asked = tuple(dict.fromkeys(unit for part in request.container_requests for unit in part.devices_ids))
        try:
            await self._until_known()
            cards = await self._pool.hand_over(self.resource, asked, self._injector.ready)
        except Refused as refused:
            self._on_answer("Allocate", self.resource, str(refused), self._clock() - started)
            raise Refusal(str(refused)) from refused
        response = v1beta1.AllocateResponse(
            tuple(
                self._injector.answer({unit: cards[unit] for unit in part.devices_ids})
                for part in request.container_requests
            )
        )
        self._on_answer("Allocate", self.resource, None, self._clock() - started)
        return response

    async def pre_start_container(self, request: v1beta1.PreStartContainerRequest) -> v1beta1.PreStartContainerResponse:
        started = self._clock()
        try:
            await self._until_known()
            await self._pool.last_look(self.resource, request.devices_ids, self._injector.ready)
        except Refused as refused:
            self._on_answer("PreStartContainer", self.resource, str(refused), self._clock() - started)
            raise Refusal(str(refused)) from refused
        self._on_answer("PreStartContainer", self.resource, None, self._clock() - started)
        return v1beta1.PreStartContainerResponse()


def _device(offer: Offer) -> v1beta1.Device:
    topology = None if offer.numa_node is None else v1beta1.TopologyInfo((v1beta1.NUMANode(offer.numa_node),))
    return v1beta1.Device(offer.id, v1beta1.HEALTHY if offer.healthy else v1beta1.UNHEALTHY, topology)
