"""Asking in threads from the agent's loop: whoever asks gets the answer, or the error, of what was asked."""

import asyncio
import time
from collections.abc import Callable

import pytest

from furiosa_npu.device_plugin.patient_reader import PatientReader
from furiosa_npu.hardware.driver_file import Files
from furiosa_npu.hardware.reader_threads import Job

PATIENCE = 20.0


def job(key: str, work: Callable[[], object] = lambda: "text") -> Job:
    return Job(key, Files(), work)


def broken() -> object:
    raise ZeroDivisionError


def test_an_error_of_ours_is_raised_where_it_was_asked_for() -> None:
    """The agent ends with it, and does not go on blind; what else was asked at the time has its answer."""

    async def story() -> None:
        reader = PatientReader(PATIENCE, time.monotonic)
        others = asyncio.create_task(reader.ask([job("npu0"), job("npu2")]))
        with pytest.raises(ZeroDivisionError):
            await reader.ask([job("npu1", broken)])
        assert await others == {"npu0": "text", "npu2": "text"}
        with pytest.raises(ZeroDivisionError):
            await reader.ask_one(job("npu1", broken))
        assert await reader.ask([job("npu0"), job("npu1")]) == {"npu0": "text", "npu1": "text"}

    asyncio.run(story())
