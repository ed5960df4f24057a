"""The agents' log lines."""

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from furiosa_npu.agent.log import Log, rfc3339
from furiosa_npu.agent.log_bridge import LogHandler


def _log(format: str, level: str = "info") -> tuple[Log, list[str]]:
    lines: list[str] = []
    return Log(format, level, lines.append, lambda: 1769851800.125), lines


def test_text_lines_are_time_level_message_fields() -> None:
    """A person reads it; a value with a blank in it is quoted."""
    log, lines = _log("text")
    log.warning("label not written", node="n1", reason="no rights", attempt=2, held=True, uuid=None, text="")
    expected = '2026-01-31T09:30:00.125Z warning label not written node=n1 reason="no rights" attempt=2 held=true'
    assert lines == [expected + ' uuid=none text=""\n']


def test_json_lines_are_one_object_each() -> None:
    """A field that has the name of a part of the entry does not overwrite it."""
    log, lines = _log("json")
    log.error("gone", path="/dev/npu0", level="x", count=0)
    assert [json.loads(line) for line in lines] == [
        {
            "time": "2026-01-31T09:30:00.125Z",
            "level": "error",
            "message": "gone",
            "path": "/dev/npu0",
            "level_": "x",
            "count": 0,
        }
    ]


def test_what_is_below_the_level_is_not_written() -> None:
    """`--log-level warning` leaves warnings and errors."""
    log, lines = _log("text", "warning")
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert [line.split()[1:] for line in lines] == [["warning", "c"], ["error", "d"]]


def test_an_unknown_level_is_refused() -> None:
    """No level is guessed."""
    with pytest.raises(ValueError, match="found the log level 'loud', expected one of debug, info, warning, error"):
        Log("text", "loud")


@given(st.text(), st.text(), st.sampled_from(["text", "json"]))
def test_an_entry_is_one_line_whatever_is_in_it(message: str, value: str, form: str) -> None:
    """No driver file and no server's message can forge a log line."""
    log, lines = _log(form)
    log.info(message, value=value)
    assert len(lines) == 1
    assert lines[0].endswith("\n")
    assert lines[0][:-1].isprintable()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "1970-01-01T00:00:00.000Z"), (951782400.9999, "2000-02-29T00:00:00.999Z")],
)
def test_time_is_utc_to_the_millisecond(seconds: float, text: str) -> None:
    """RFC 3339 with Z."""
    assert rfc3339(seconds) == text


def test_libraries_that_use_logging_come_out_in_the_same_form() -> None:
    """Level, logger and traceback are kept, in one line."""
    log, lines = _log("json", "debug")
    logger = logging.Logger("asyncio")
    logger.addHandler(LogHandler(log))
    logger.warning("slow %s", "callback")
    try:
        raise ValueError("boom")
    except ValueError:
        logger.exception("failed")
    first, second = (json.loads(line) for line in lines)
    assert first == {
        "time": "2026-01-31T09:30:00.125Z",
        "level": "warning",
        "message": "slow callback",
        "logger": "asyncio",
    }
    assert (second["level"], second["message"]) == ("error", "failed")
    assert second["traceback"].endswith("ValueError: boom")


QUIET = """
import sys
from furiosa_npu.agent.late_logging import put_late_logging
from furiosa_npu.agent.log import Log
put_late_logging(Log("text", "info"))
import asyncio
asyncio.log.logger.debug("nothing of it"); asyncio.log.logger.info("nor of this")
assert not asyncio.log.logger.isEnabledFor(10) and asyncio.log.logger.isEnabledFor(30)
print("Handler" in vars(sys.modules["logging"]))
"""
LOUD = """
try:
    raise ValueError("boom")
except ValueError:
    asyncio.log.logger.error("failed: %s", "x", exc_info=True)
import logging
print("Handler" in vars(logging), logging.getLogger("asyncio").isEnabledFor(20))
logging.getLogger("other").warning("late")
"""


def test_logging_is_loaded_at_a_librarys_first_warning() -> None:
    """What asyncio says below that is said nowhere; the warning is a line of the agent's, and so are later ones."""
    quiet = subprocess.run([sys.executable, "-I", "-c", QUIET], capture_output=True, text=True, check=True)
    assert (quiet.stdout, quiet.stderr) == ("False\n", "")
    loud = subprocess.run([sys.executable, "-I", "-c", QUIET + LOUD], capture_output=True, text=True, check=True)
    assert loud.stdout == "False\nTrue False\n"
    first, second = loud.stderr.splitlines()
    assert " ERROR " in first.upper()
    assert "failed: x" in first
    assert "ValueError: boom" in first
    assert "late" in second
    assert "other" in second


CROWDED = """
import resource
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
asyncio.log.logger.error("no descriptor", exc_info=(OSError, OSError(24, "Too many open files"), None))
resource.setrlimit(resource.RLIMIT_NOFILE, before)
asyncio.log.logger.warning("%s again", "room")
"""


def test_a_warning_is_said_though_logging_cannot_be_loaded() -> None:
    """Where no descriptor is to be had, just that is to be said; later ones come by way of `logging` again."""
    done = subprocess.run([sys.executable, "-I", "-c", QUIET + CROWDED], capture_output=True, text=True, check=True)
    assert [line.split(maxsplit=1)[1] for line in done.stderr.splitlines()] == [
        """error no descriptor logger=asyncio error="OSError(24, 'Too many open files')\"""",
        "warning room again logger=asyncio",
    ]


def test_a_traceback_that_cannot_be_written_leaves_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """`traceback` may be what has to be loaded."""

    def crowded(*_: object) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(logging.Formatter, "formatException", crowded)
    log, lines = _log("text")
    logger = logging.Logger("asyncio")
    logger.addHandler(LogHandler(log))
    logger.error("failed", exc_info=ValueError("boom"))
    assert lines == ["2026-01-31T09:30:00.125Z error failed logger=asyncio error=ValueError('boom')\n"]


def test_a_closed_stderr_does_not_end_the_agent() -> None:
    """Losing the log is no reason to stop serving the node."""
    program = "import os; from furiosa_npu.agent.log import Log; os.close(2); Log().error('x'); print('alive')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "alive\n"


def test_the_log_does_not_import_logging() -> None:
    """The resident memory that this module is there to save."""
    program = "import sys, furiosa_npu.agent.log, furiosa_npu.agent.settings, furiosa_npu.agent.http\n"
    program += "print(sorted({'logging', 'argparse', 'yaml', 'json', 'dataclasses', 'inspect'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
