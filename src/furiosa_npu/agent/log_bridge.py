"""asyncio's and grpclib's own logging, written as the agent's log lines. Imported by the plugin alone.

Those libraries import `logging` whatever we do; without a handler their warnings would come out in another format.
"""

import logging

from furiosa_npu.agent.log import Level, Log


class LogHandler(logging.Handler):
    """Hands each record on to a `Log`, with the library's logger as a field and the traceback, if any, in one line."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields = {"logger": record.name}
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._log.entry(_level(record.levelno), record.getMessage(), dict(fields))


def bridge_logging(log: Log, level: str) -> None:
    """From now on everything that uses `logging` goes to `log`; `level` as in `--log-level`."""
    root = logging.getLogger()
    root.handlers[:] = [LogHandler(log)]
    root.setLevel(level.upper())


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"
