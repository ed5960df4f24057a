"""`logging` as asyncio, hpack and grpclib take it: loaded when one of them has a warning, not before.

What they say below that is dropped where it is said. To be put in place before they are imported.
"""

import sys
from typing import Any

from furiosa_npu.agent.late_module import LateModule
from furiosa_npu.agent.log import Log

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
        from furiosa_npu.agent.log_bridge import bridge_logging

        return getattr(bridge_logging(self._log, self._name), name)


def put_late_logging(log: Log) -> None:
    """From now on what libraries log from warnings on goes to `log`."""
    if "logging" in sys.modules:
        from furiosa_npu.agent.log_bridge import bridge_logging

        bridge_logging(log)
    else:

        def late_logger(name: str | None = None) -> LateLogger:
            return LateLogger(name, log)

        LateModule.put("logging", getLogger=late_logger, DEBUG=_DEBUG)
