"""The setting `disable`, which follows the --config file while the agent runs: no restart to take a card out."""

import os
from typing import cast

from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import SettingsError, config_text, read_config
from furiosa_npu.allocation.pool import Pool
from furiosa_npu.watch.conditions import Conditions


class DisableList:
    """The cards to leave out, by UUID, PCI address or name. A command line that names some has the last word."""

    def __init__(
        self, path: str | None, options: tuple[Option, ...], names: tuple[str, ...], conditions: Conditions
    ) -> None:
        """`path` of the file, of an agent with these `options`; None: `names` stays the list."""
        self._path = path
        self._options = options
        self._names = names
        self._conditions = conditions
        self._seen: tuple[int, int] | None = None
        self._met: set[str] = set()
        """what cards went by, in lower case"""
        self._unmet: list[str] = []

    def now(self) -> tuple[str, ...]:
        """The list as the file says now; of a file that cannot be read, as it last said."""
        if self._path is None:
            return self._names
        try:
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                values = read_config(config_text(self._path), self._options, self._path)
                self._names = cast(tuple[str, ...], values.get("disable", ()))
                self._seen = seen
        except (OSError, SettingsError) as error:
            self._conditions.trouble("config", f"{error}; the last good setting disable stays in force")
        else:
            self._conditions.well("config")
        return self._names

    def compare(self, pool: Pool) -> None:
        """Says once which entries no card of the node has gone by; nothing before a card is there."""
        if not self._names and not self._unmet:
            return
        cards = {unit.card_id: unit.card for unit in pool.values()}
        for card_id, card in cards.items():
            self._met.update(name.lower() for name in (card_id, card.name, card.pci_bdf) if name)
        unmet = [name for name in self._names if name.lower() not in self._met]
        if not cards or unmet == self._unmet:
            return
        self._unmet = unmet
        if not unmet:
            self._conditions.well("disable")
            return
        there = (
            f"{card.name} ({', '.join(name for name in (card_id, card.pci_bdf) if name)})"
            for card_id, card in cards.items()
        )
        reason = f"disable: no card of this node goes by {', '.join(unmet)}; there are {', '.join(there)}"
        self._conditions.remark("disable", reason)
