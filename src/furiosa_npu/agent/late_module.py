"""Modules that a library imports and an agent hardly ever uses: loaded when something of them is first used.

    LateModule.put("subprocess", PIPE=-1)     # before the library is imported
    import asyncio                            # takes `subprocess.PIPE` at once, and nothing else
    subprocess.Popen                          # the real module is loaded, in place

What a library takes from the module while it is imported itself is told beforehand: a value, or the name of a function
that it only calls later. All else of it is the real module.
"""

import sys
from _frozen_importlib_external import PathFinder
from _thread import RLock
from collections.abc import Callable
from types import ModuleType

TYPE_CHECKING = False  # `typing` may be late itself
if TYPE_CHECKING:
    from typing import Any


class LateModule(ModuleType):
    """A module that holds what is told of it, and from its first use on the real one's content."""

    @classmethod
    def put(cls, name: str, *functions: str, **told: object) -> None:
        """From now on `name` is late; where it is imported already it stays as it is."""
        if name not in sys.modules:
            sys.modules[name] = module = cls(name)
            module.__dict__.update(told, _loading=RLock(), _loaded=False)
            module.__dict__.update({function: module._later(function) for function in functions})

    def __getattr__(self, name: str) -> "Any":
        """Asked for what is not there yet. What the import system asks for (`__path__`) loads nothing."""
        if not name.startswith("__"):
            self._load()
            if name in self.__dict__:
                return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def _later(self, function: str) -> "Callable[..., Any]":
        def call(*arguments: object, **named: object) -> "Any":
            self._load()
            return self.__dict__[function](*arguments, **named)

        return call

    def _load(self) -> None:
        """Once; another thread that needs it too waits. Raises ImportError where there is no such module, and what
        loading raises (OSError where no descriptor is to be had): then the next use tries again."""
        with self._loading:
            if self._loaded:
                return
            self.__dict__["_loaded"] = True  # for what the module imports, and asks it in its turn
            try:
                self._execute()
            except BaseException:
                self.__dict__["_loaded"] = False
                raise

    def _execute(self) -> None:
        parent = self.__name__.rpartition(".")[0]
        spec = PathFinder.find_spec(self.__name__, __import__(parent).__path__ if parent else None)
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.__name__}: is not on this machine's Python path", name=self.__name__)
        self.__spec__, self.__loader__, self.__file__ = spec, spec.loader, spec.origin
        spec.loader.exec_module(self)
