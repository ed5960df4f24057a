"""A device plugin's call to the kubelet: `v1beta1.Registration/Register`. Agents that are none load none of it."""

from furiosa_npu.kubelet import deviceplugin_v1beta1 as deviceplugin
from furiosa_npu.kubelet.client import call


async def register(socket_path: str, request: deviceplugin.RegisterRequest, timeout_seconds: float) -> None:
    """On the kubelet's `kubelet.sock`. Raises KubeletError."""
    await call(
        socket_path,
        "/v1beta1.Registration/Register",
        request,
        deviceplugin.Empty,
        deviceplugin.SCHEMA,
        timeout_seconds,
    )
