"""What an agent's process does with its memory."""

import gc
import weakref

from furiosa_npu.watch.process import collect_garbage


class Ring:
    """Refers to itself: nothing but the collector ends it."""

    def __init__(self) -> None:
        self.ring = self


def test_garbage_is_collected_where_many_objects_came() -> None:
    """A look through all of them, which a young collection has gone before; else there is nothing to gain."""
    gc.collect()
    ring = Ring()
    seen = weakref.ref(ring)
    del ring
    collect_garbage()
    held = seen()
    assert held is not None
    gc.collect(0)
    del held
    collect_garbage()
    assert seen() is None
