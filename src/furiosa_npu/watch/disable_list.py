"""The setting `disable`, which follows the --config file while the agent runs: no restart to take a card out."""

import os
from typing import cast

from furiosa_npu.agent.options import Option
from furiosa_npu.agent.settings import SettingsError, read_config
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

    def now(self) -> tuple[str, ...]:
        """The list as the file says now; of a file that cannot be read, as it last said."""
        if self._path is None:
            return self._names
        try:
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                with open(self._path, encoding="utf-8") as file:
                    values = read_config(file.read(), self._options, self._path)
                self._names = cast(tuple[str, ...], values.get("disable", ()))
                self._seen = seen
        except (OSError, UnicodeDecodeError, SettingsError) as error:
            self._conditions.trouble("config", f"{error}; the last good setting disable stays in force")
        else:
            self._conditions.well("config")
        return self._names
