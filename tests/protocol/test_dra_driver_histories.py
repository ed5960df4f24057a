"""Whatever happened to instances, sockets and the kubelet: after one more look of each, all is as it should be."""

import asyncio
import tempfile
from pathlib import Path
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from furiosa_npu.dra_driver.endpoint import Endpoint
from tests.jumping_loop import run
from tests.protocol.dra_place import ONE, PREPARED, Driver, Place, sockets_of

NAMES = ("a", "b", "c")
What = Literal["start", "end", "kill", "lose", "keep", "look", "look backwards", "restart"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "end", "kill", "lose", "keep", "look", "look backwards", "restart"]),
        st.sampled_from(NAMES),
        st.integers(0, 1),
    ),
    max_size=20,
)


class History:
    """Instances by name, as they live."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.living: dict[str, Endpoint] = {}
        self.came: list[str] = []
        """all that ever lived, by name, in the order in which each came first"""

    async def step(self, what: What, name: str, which: int) -> None:
        kubelet = self.place.kubelet
        if what == "start" and name not in self.living:
            self.living[name] = self.place.endpoint(Driver(name), name)
            self.came += [] if name in self.came else [name]
            await self.living[name].keep()
        elif what == "end" and name in self.living:
            await self.living.pop(name).close()
        elif what == "kill" and name in self.living:
            await self._kill(name)
        elif what == "lose":
            (self.place.folder / sockets_of(name)[which]).unlink(missing_ok=True)
        elif what == "keep" and name in self.living:
            await self.living[name].keep()
        elif what in ("look", "look backwards"):
            await kubelet.look(backwards=what != "look")
        elif what == "restart":
            kubelet.stop()

    def newest(self) -> tuple[list[str], list[str]]:
        """Those that say they are the newest, and the one that is."""
        said = [name for name, endpoint in self.living.items() if endpoint.is_newest()]
        return said, [name for name in self.came if name in self.living][-1:]

    async def settle(self) -> None:
        """A last instance comes, all look once more."""
        await self.step("start", "c", 0)
        for endpoint in self.living.values():
            await endpoint.keep()
            endpoint.remove_dead()
        await self.place.kubelet.look()

    async def _kill(self, name: str) -> None:
        """Its sockets stay, and nobody is behind them."""
        paths = [self.place.folder / socket for socket in sockets_of(name)]
        there = [path for path in paths if path.exists()]
        for path in there:
            path.rename(path.with_suffix(".kept"))
        await self.living.pop(name).close()
        for path in there:
            path.with_suffix(".kept").rename(path)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_after_any_history_the_living_are_registered_and_the_dead_are_gone(
    steps: list[tuple[What, str, int]],
) -> None:
    """Every living instance can be called, the kubelet knows no other, and no socket of another is left. All the while
    the one that came last, and no other, takes itself for the newest."""

    async def story(folder: str) -> None:
        history = History(Place(Path(folder)))
        place = history.place
        for step in steps:
            await history.step(*step)
            said, newest = history.newest()
            assert said == newest
        await history.settle()
        living = sorted(history.living)
        registered = sorted(Path(plugin.info.endpoint).stem for plugin in place.kubelet.registered)
        assert (registered, place.sockets()) == (living, sockets_of(*living))
        assert all(endpoint.registrations > 0 for endpoint in history.living.values())
        for plugin in list(place.kubelet.registered):
            place.kubelet.registered = [plugin]
            assert await place.kubelet.prepare(ONE) == PREPARED
            plugin.line.close()
        await asyncio.gather(*(endpoint.close() for endpoint in history.living.values()))
        assert place.sockets() == []

    with tempfile.TemporaryDirectory(prefix="npu-", dir="/tmp") as folder:
        run(story(folder))
