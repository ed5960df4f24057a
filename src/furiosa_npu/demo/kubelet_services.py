"""What a kubelet serves: `v1beta1.Registration` and `v1.PodResourcesLister`, over functions that answer them."""

from collections.abc import Awaitable, Callable
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError

from furiosa_npu.kubelet import deviceplugin_v1beta1 as v1beta1
from furiosa_npu.kubelet import podresources_v1 as podresources


class RegistrationError(Exception):
    """A registration that the kubelet refuses, and why."""


class RegistrationService:
    """`Register`, made for grpclib's `Server`."""

    def __init__(self, register: Callable[[v1beta1.RegisterRequest], Awaitable[None]]) -> None:
        self._take = register

    async def _register(self, stream: Any) -> None:
        request = await stream.recv_message()
        try:
            await self._take(request)
        except RegistrationError as error:
            raise GRPCError(Status.UNKNOWN, str(error)) from error
        await stream.send_message(v1beta1.Empty())

    def __mapping__(self) -> dict[str, Handler]:
        unary = Cardinality.UNARY_UNARY
        return {
            "/v1beta1.Registration/Register": Handler(self._register, unary, v1beta1.RegisterRequest, v1beta1.Empty)
        }


class PodResourcesService:
    """`List`, made for grpclib's `Server`."""

    def __init__(self, answer: Callable[[], podresources.ListPodResourcesResponse]) -> None:
        self._answer = answer

    async def _list(self, stream: Any) -> None:
        await stream.recv_message()
        await stream.send_message(self._answer())

    def __mapping__(self) -> dict[str, Handler]:
        request, response = podresources.ListPodResourcesRequest, podresources.ListPodResourcesResponse
        return {"/v1.PodResourcesLister/List": Handler(self._list, Cardinality.UNARY_UNARY, request, response)}
