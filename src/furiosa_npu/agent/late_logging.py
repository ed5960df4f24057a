"""`logging` as asyncio, hpack and grpclib take it: loaded when one of them has a warning, not before.

What they say below that is dropped where it is said. To be put in place before they are imported.
"""

import sys
from collections.abc import Callable
from typing import Any

from furiosa_npu.agent.late_module import LateModule
from furiosa_npu.agent.log import Level, Log

_DEBUG, _WARNING = 10, 30
"""`logging.DEBUG` and `logging.WARNING`"""


class LateLogger:
    """A library's logger, by the library's name for it."""

    def __init__(self, name: str | None, log: Log) -> None:
        self._name = name
        self._log = log

    def debug(self, *_: object, **__: object) -> None:
        """Not said."""

    info = debug

    def isEnabledFor(self, level: int) -> bool:  # logging's name
        return level >= _WARNING

    def __getattr__(self, name: str) -> Any:
        """All else is the real logger's, whose lines go to the agent's log."""
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            from furiosa_npu.agent.log_bridge import bridge_logging

            return getattr(bridge_logging(self._log, self._name), name)
        except (ImportError, OSError):  # no descriptor to be had, and that may be just what is to be said
            return self._without_logging("warning" if name in ("warning", "log") else "error")

    def _without_logging(self, level: Level) -> Callable[..., None]:
        def say(*said: object, exc_info: object = None, **_: object) -> None:
            error = exc_info[1] if isinstance(exc_info, tuple) else sys.exc_info()[1]
            fields = {"logger": self._name, "error": None if error is None else repr(error)}
            self._log.entry(level, " ".join(map(str, said)), dict(fields))

        return say


def put_late_logging(log: Log) -> None:
    """From now on what libraries log from warnings on goes to `log`."""
    if "logging" in sys.modules:
        from furiosa_npu.agent.log_bridge import bridge_logging

        bridge_logging(log)
    else:

        def late_logger(name: str | None = None) -> LateLogger:
            return LateLogger(name, log)

        LateModule.put("logging", getLogger=late_logger, DEBUG=_DEBUG)
