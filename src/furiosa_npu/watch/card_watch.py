"""The watch over a node's cards, put together by an agent's settings: what reads cards, judges them, keeps time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from furiosa_npu.agent.log import Log
from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import Invocation
from furiosa_npu.allocation.container_edits import ContainerEdits, container_edits
from furiosa_npu.allocation.pe_form import PeForm
from furiosa_npu.allocation.slicing import WHOLE_CARDS, Slicing
from furiosa_npu.hardware.reading import Reading, Roots
from furiosa_npu.watch.card_readings import CardReadings
from furiosa_npu.watch.conditions import Conditions
from furiosa_npu.watch.cycle import Books, Cycle
from furiosa_npu.watch.disable_list import DisableList
from furiosa_npu.watch.events import Events
from furiosa_npu.watch.host_tools import HostTools
from furiosa_npu.watch.memory_file import MemoryFile
from furiosa_npu.watch.npu_pool import NpuPool
from furiosa_npu.watch.options import CardSettings, rules
from furiosa_npu.watch.outside_users import OutsideUsers
from furiosa_npu.watch.patient_reader import PatientReader


class WatchSettings(CardSettings, Protocol):
    """What of an agent's settings its watch goes by."""

    @property
    def devfs_root(self) -> str: ...
    @property
    def sysfs_root(self) -> str: ...
    @property
    def furiosactl(self) -> str: ...
    @property
    def host_tools_dir(self) -> str: ...
    @property
    def cycle_seconds(self) -> int: ...
    @property
    def active_probe(self) -> bool: ...


S = TypeVar("S", bound=WatchSettings)


class CardWatch:
    """One agent's. Made inside a running loop."""

    def __init__(
        self,
        invocation: Invocation[S],
        options: tuple[Option, ...],
        folder: str,
        resources: Sequence[str],
        log: Log,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        *,
        held_bad_is_unhealthy: bool = False,
        slicing: Slicing = WHOLE_CARDS,
    ) -> None:
        """`options`: the agent's, for its `--config` file; `folder`: for what must not be forgotten; `resources`: names
        under which cards are held; `on_change`: of the pool."""
        self._settings: WatchSettings = invocation.settings
        self._clock = clock
        settings, configured = invocation.settings, rules(invocation.settings)
        self.roots = Roots(settings.devfs_root, settings.sysfs_root)
        self.conditions = Conditions(log)
        self.tools = HostTools(settings.furiosactl, settings.host_tools_dir, self.conditions)
        self.reader = PatientReader(configured.health.bounds["no-answer"], clock)
        self.users = OutsideUsers(settings.devfs_root, self.reader, clock)
        self._readings = CardReadings(self.roots, self.reader, clock)
        self._memory = MemoryFile(folder, self.reader, self.conditions)
        self._disable = DisableList(
            None if invocation.origins["disable"] == "command line" else invocation.config,
            options,
            settings.disable,
            self.conditions,
        )
        self.pool = NpuPool(
            self._readings,
            self.users,
            configured,
            self._memory.read(clock()),
            resources,
            clock,
            on_change,
            probe=False,  # the other plane's pods may open their cards at any time
            held_bad_is_unhealthy=held_bad_is_unhealthy,
            slicing=slicing,
        )

    def own_plane(self) -> None:
        """The other plane has let go of this node's cards."""
        self.pool.probe = self._settings.active_probe

    def cycle(
        self,
        books: Books,
        on_folder: Callable[[], None],
        on_containers: Callable[[], None],
        before_look: Callable[[], Awaitable[None]] | None = None,
    ) -> Cycle:
        """What keeps time, with who tells what is held."""
        cycle = Cycle(
            self._settings.cycle_seconds,
            self._settings.devfs_root,
            self._readings,
            self.pool,
            books,
            self._memory,
            self._disable,
            self.conditions,
            self._clock,
            on_folder,
            on_containers,
            before_look,
        )
        self.reader.on_late = cycle.answered_late
        return cycle

    def events(
        self,
        folders: Sequence[str],
        add_reader: Callable[[int, Callable[[], None]], object],
        cycle: Cycle,
        on_folder: Callable[[], None],
    ) -> Events:
        """What wakes the cycle. `folders`: where the agent and the kubelet have their sockets."""
        # Our own probes would wake us.
        opened = self.users.visible and not self._settings.active_probe
        return Events(
            self.roots,
            folders,
            add_reader,
            self.conditions,
            on_devices=cycle.devices_changed,
            on_opened=cycle.users_changed if opened else None,
            on_folder=on_folder,
        )

    def edits(self, cards: Sequence[Reading], form: PeForm) -> ContainerEdits:
        """What a container gets with these cards."""
        return container_edits(cards, form, self.roots, self.tools.furiosactl())
