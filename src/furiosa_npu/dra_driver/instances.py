"""Two instances of the driver that stay side by side on a node, as two DaemonSets make them: the older one says so.

Two are there for some seconds during a rolling update, too.
"""

from collections.abc import Callable

from furiosa_npu.dra_driver.instance_order import InstanceOrder
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.watch.conditions import Conditions

PART = "instances"
"""of the conditions; no matter of readiness"""

TOLERATED_SECONDS = 20.0
"""for which a newer instance is taken for a rolling update; where it stays beside this one, that is said"""

_NAMESAKE = (
    "{path}: another process of {driver} with this --instance lives on this node, and they take each other's sockets: "
    "is there a second DaemonSet of this driver? Each instance needs a name of its own, such as its pod's UID"
)

_TWICE = (
    "{path}: another instance of {driver} came to this node after this one and publishes in its place, as one does for "
    "some seconds during a rolling update, and it stays: is there a second DaemonSet of this driver?"
)


class Instances:
    """As one of them sees them."""

    def __init__(
        self, order: InstanceOrder, clock: Callable[[], float], conditions: Conditions, on_twice: Callable[[str], None]
    ) -> None:
        """`on_twice` is told once, each time that a newer one stays."""
        self._order = order
        self._clock = clock
        self._conditions = conditions
        self._on_twice = on_twice
        self._newer_since: float | None = None
        self._told = False

    def namesake(self, path: str) -> None:
        """Says that this one's file, `path`, was another living one's when this one came."""
        reason = _NAMESAKE.format(path=path, driver=DRIVER)
        self._conditions.remark("instance name", reason)
        self._on_twice(reason)

    def look(self) -> None:
        """Says that a newer one stays; to be called again and again."""
        try:
            newer = self._order.newer()
        except OSError:
            return  # one of them came or went
        if newer is None:
            self._newer_since, self._told = None, False
            self._conditions.well(PART)
        elif self._newer_since is None:
            self._newer_since = self._clock()
        elif self._clock() - self._newer_since >= TOLERATED_SECONDS:
            reason = _TWICE.format(path=newer, driver=DRIVER)
            self._conditions.remark(PART, reason)
            if not self._told:
                self._told = True
                self._on_twice(reason)
