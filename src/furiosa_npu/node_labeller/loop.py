"""The least event loop: file descriptors and one deadline. `asyncio` would cost 5.8 MiB resident."""

import selectors
from collections.abc import Callable

Callback = Callable[[], None]


class Loop:
    """Calls back when a descriptor can be read."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add_reader(self, descriptor: int, callback: Callback) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def remove_reader(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def turn(self, timeout_seconds: float | None) -> None:
        """Waits (None: for ever) and calls back for what can be read, unless a callback before it removed it."""
        for key, _ in self._selector.select(timeout_seconds):
            if self._selector.get_map().get(key.fd) is key:
                key.data()

    def close(self) -> None:
        self._selector.close()
