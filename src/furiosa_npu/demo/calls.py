"""What went between the kubelet and the plugins, in order, and waiting for it."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Call(NamedTuple):
    """One call that was answered, or one list of a ListAndWatch stream."""

    method: str
    """`Register`, `GetDevicePluginOptions`, `ListAndWatch`, `GetPreferredAllocation`, `Allocate`, `PreStartContainer`
    or `List` (pod-resources)
    """
    resource: str
    """empty for `List`"""
    request: Any
    answer: Any
    """the message, or the text of the error"""


class Journal:
    """The calls, and an event after each entry and each `stir`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._stirred = asyncio.Event()

    def enter(self, call: Call) -> None:
        self.calls.append(call)
        self.stir()

    def stir(self) -> None:
        """Something that somebody may wait for changed."""
        self._stirred.set()
        self._stirred = asyncio.Event()

    def of(self, method: str, resource: str | None = None) -> list[Call]:
        """The calls of one method, of one resource or all, in order."""
        return [call for call in self.calls if call.method == method and resource in (None, call.resource)]

    async def until(self, condition: Callable[[], T | None], what: str, seconds: float) -> T:
        """The condition's first value that is true, looked at after each event. Raises TimeoutError with `what`."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            stirred = self._stirred
            value = condition()
            if value:
                return value
            try:
                async with asyncio.timeout_at(deadline):
                    await stirred.wait()
            except TimeoutError:
                last = "\n  ".join(str(call) for call in self.calls[-6:])
                raise TimeoutError(f"did not happen in {seconds:g} s: {what}; the last calls:\n  {last}") from None
