"""Protocol tests speak over real sockets: `async def` tests run in a loop of their own, folders have short paths."""

import asyncio
import inspect
import shutil
import tempfile
from collections.abc import Iterator

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an `async def` test, and fails one that leaves a task behind."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}

    async def whole() -> None:
        await pyfuncitem.obj(**arguments)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"the test left tasks behind: {left}"

    asyncio.run(whole())
    return True


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder with a path so short that unix sockets fit in it (107 bytes), gone after the test."""
    path = tempfile.mkdtemp(prefix="npu-", dir="/tmp")
    yield path
    shutil.rmtree(path)
