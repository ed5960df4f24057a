"""The connections of one server, bounded in number: who has to go when there are too many.

A kubelet has one connection. It is soon one with an open stream (ListAndWatch, NodeWatchResources) on which it was
answered and reads, and such a one is never dropped for a newcomer; of the others those go first that never made a call,
then the idlest.
"""

import asyncio
from collections.abc import Callable

from furiosa_npu.kubelet.bounded_protocol import BoundedProtocol

MAXIMUM_CONNECTIONS = 8
"""of one socket"""


class Crowd:
    """A `Company`: knows each connection from its beginning to its end."""

    def __init__(self, on_drop: Callable[[str], None]) -> None:
        """`on_drop` is told why a connection was ended from this side."""
        self._on_drop = on_drop
        self._members: dict[BoundedProtocol, None] = {}
        """in the order of the last news of each"""
        self.deserted = asyncio.Event()
        """set while there are none"""
        self.deserted.set()

    def enter(self, newcomer: BoundedProtocol) -> bool:
        if len(self._members) >= MAXIMUM_CONNECTIONS:
            fault = f"more than {MAXIMUM_CONNECTIONS} connections"
            self._on_drop(fault)
            victim = self._least()
            if victim is None:
                return False
            del self._members[victim]
            victim.drop(fault)
        self._members[newcomer] = None
        self.deserted.clear()
        return True

    def heard(self, member: BoundedProtocol) -> None:
        if member in self._members:
            del self._members[member]
            self._members[member] = None

    def leave(self, member: BoundedProtocol, fault: str) -> None:
        if member in self._members:
            del self._members[member]
            if not self._members:
                self.deserted.set()
            if fault:
                self._on_drop(fault)

    def close(self) -> None:
        """Ends all."""
        members = tuple(self._members)
        self._members.clear()
        self.deserted.set()
        for member in members:
            member.drop("the server is closed")

    def _least(self) -> BoundedProtocol | None:
        for member in self._members:
            if not member.has_called:
                return member
        return next((member for member in self._members if not member.is_served), None)
