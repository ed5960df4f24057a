"""The calls of one server that are under way: whoever ends the server may let them come to their answers before.

A stream (ListAndWatch, NodeWatchResources) is no such call: it lasts until one side leaves.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from grpclib.const import Cardinality, Handler


class CountedServices:
    """Services as one, made for grpclib's `Server`."""

    def __init__(self, services: Collection[Any]) -> None:
        self._services = services
        self._under_way = 0
        self.answered = asyncio.Event()
        """set while no call is under way"""
        self.answered.set()

    def __mapping__(self) -> dict[str, Handler]:
        return {
            path: self._counted(handler)
            for service in self._services
            for path, handler in service.__mapping__().items()
        }

    def _counted(self, handler: Handler) -> Handler:
        if handler.cardinality is not Cardinality.UNARY_UNARY:
            return handler

        async def call(stream: Any) -> None:
            self._under_way += 1
            self.answered.clear()
            try:
                await handler.func(stream)
            finally:
                self._under_way -= 1
                if self._under_way == 0:
                    self.answered.set()

        return handler._replace(func=call)
