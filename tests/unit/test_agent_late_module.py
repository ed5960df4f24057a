"""Modules that are loaded at their first use, and those that the agents on every node put off."""

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from furiosa_npu.agent.late_module import LateModule

SOURCE = """
import time
count = globals().get("count", 0) + 1
SIZE = 2
time.sleep(0)
def double(number): return SIZE * number
"""


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module `late_sample` that can be imported, and is not yet."""
    (tmp_path / "late_sample.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "late_sample"
    sys.modules.pop("late_sample", None)


def _loaded(name: str) -> bool:
    return "count" in vars(sys.modules[name])


def test_what_is_told_is_there_and_loads_nothing(name: str) -> None:
    """Values, names of functions, and what the import system asks of a module."""
    LateModule.put(name, "double", SIZE=1)
    module = importlib.import_module(name)
    assert (module.SIZE, callable(module.double), hasattr(module, "__path__")) == (1, True, False)
    assert not _loaded(name)


def test_anything_else_is_the_real_module(name: str) -> None:
    """Loaded once and in place; what was told gives way to it."""
    LateModule.put(name, SIZE=1)
    module = importlib.import_module(name)
    assert (module.count, module.SIZE, module.double(4), module.count) == (1, 2, 8, 1)
    assert sys.modules[name] is module
    with pytest.raises(AttributeError, match="module 'late_sample' has no attribute 'triple'"):
        _ = module.triple


def test_a_function_taken_early_is_the_real_one_when_called(name: str) -> None:
    """As `from module import function` takes it while a library is imported."""
    LateModule.put(name, "double")
    double = importlib.import_module(name).double
    assert not _loaded(name)
    assert double(21) == 42


def test_a_module_that_could_not_be_loaded_is_loaded_at_its_next_use(name: str, tmp_path: Path) -> None:
    """There was no descriptor to read it with, for a moment: it is not taken for loaded."""
    LateModule.put(name, "double")
    module = importlib.import_module(name)
    source = (tmp_path / "late_sample.py").read_text()
    (tmp_path / "late_sample.py").write_text("raise OSError(24, 'Too many open files')\n")
    with pytest.raises(OSError, match="Too many open files"):
        module.double(1)
    (tmp_path / "late_sample.py").write_text(source)
    assert (module.double(1), module.count) == (2, 1)


def test_threads_that_want_it_at_once_all_get_it(name: str) -> None:
    """None sees a module that is half there."""
    LateModule.put(name)
    module, got = importlib.import_module(name), []
    threads = [threading.Thread(target=lambda: got.append(module.double(1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got, module.count) == ([2] * 8, 1)


def test_a_module_that_is_imported_already_stays() -> None:
    """What holds it goes on with it."""
    LateModule.put("subprocess", PIPE=0)
    assert sys.modules["subprocess"] is subprocess
    assert subprocess.PIPE == -1


def test_a_module_that_is_not_there_is_said_to_be_missing() -> None:
    """ImportError, as of an import."""
    LateModule.put("no_such_module")
    try:
        with pytest.raises(ImportError, match="no_such_module: is not on this machine's Python path"):
            _ = sys.modules["no_such_module"].anything
    finally:
        del sys.modules["no_such_module"]


READIED = (
    "import sys, typing\n"
    "from furiosa_npu.watch.late_imports import put_late_modules\n"
    "from furiosa_npu.agent.late_module import LateModule\n"
    "from furiosa_npu.agent.late_logging import put_late_logging\n"
    "from furiosa_npu.agent.log import Log\n"
    "put_late_logging(Log('text', 'info'))\n"
    "put_late_modules()\n"
)


def _told(flags: list[str], program: str) -> str:
    done = subprocess.run([sys.executable, *flags, "-c", READIED + program], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("agent", ["device_plugin", "dra_driver"])
@pytest.mark.parametrize("flags", [["-I"], ["-I", "-OO"]])
def test_importing_an_agent_needs_none_of_what_it_puts_off(flags: list[str], agent: str) -> None:
    """Else the memory is spent after all, in the image (-OO) or as pip installs it."""
    program = (
        f"import furiosa_npu.{agent}.app\n"
        "late = {name: module for name, module in sys.modules.items() if type(module) is LateModule}\n"
        "print(len(late) > 0, [name for name, module in late.items() if module._loaded])\n"
    )
    assert _told(flags, program) == "True []\n"


def test_the_dra_driver_carries_nothing_of_the_device_plugin_s() -> None:
    """Neither its messages nor a pool of threads."""
    modules = "('furiosa_npu.kubelet.deviceplugin_v1beta1', 'concurrent.futures.thread')"
    program = f"import furiosa_npu.dra_driver.app\nprint([name for name in {modules} if name in sys.modules])\n"
    assert _told(["-I"], program) == "[]\n"


def test_annotations_in_quotes_mean_what_they_meant() -> None:
    """For whoever asks for them. They are not compiled before: a process' first `compile` makes the types of `ast`."""
    program = (
        "print(typing.ForwardRef('int').__forward_code__)\n"
        "def of(a: typing.Optional['int'], *b: 'typing.List[str]') -> 'bytes': ...\n"
        "print(typing.get_type_hints(of))\n"
    )
    hints = "{'a': typing.Optional[int], 'b': typing.List[str], 'return': <class 'bytes'>}"
    assert _told(["-I"], program) == f"int\n{hints}\n"


def test_a_status_that_is_not_told_is_http_s_own() -> None:
    """Another version of grpclib may have others in its table."""
    program = (
        "from http import HTTPStatus\n"
        "print(HTTPStatus.NOT_FOUND.value, HTTPStatus.OK.value, HTTPStatus.OK.phrase)\n"
        "from http import HTTPStatus\n"
        "print(HTTPStatus.NOT_FOUND.phrase)\n"
    )
    assert _told(["-I"], program) == "404 200 OK\nNot Found\n"
