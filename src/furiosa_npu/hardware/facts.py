"""Collects the facts of one folder: each file read, parsed, or put down as a `Problem`; nothing raises."""

from collections.abc import Callable
from typing import TypeVar

from furiosa_npu.hardware.driver_file import FileProblem, Files, error_name, shortened
from furiosa_npu.hardware.reading import Problem

T = TypeVar("T")


class Facts:
    """Reads files of `folder`; `problems` gathers what is broken, in the order of reading."""

    def __init__(self, files: Files, folder: str, problems: list[Problem]) -> None:
        self.files = files
        self.folder = folder
        self.problems = problems

    def required(self, name: str, parse: Callable[[str], T], *, may_be_empty: bool = False) -> T | None:
        """A file that every driver has; missing is a problem. With `may_be_empty`, empty is absent."""
        return self._read(name, _if_any(parse) if may_be_empty else parse, required=True)

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """A file that only some generations of the driver have; missing is absent."""
        return self._read(name, parse, required=False)

    def meaning(self, name: str, text: str | None, parse: Callable[[str], T]) -> T | None:
        """What the text that was read of a file means beside another fact."""
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(Problem(f"{self.folder}/{name}", shortened(text), str(error)))
            return None

    def _read(self, name: str, parse: Callable[[str], T], *, required: bool) -> T | None:
        path = f"{self.folder}/{name}"
        try:
            return self.files.parsed(path, parse, "the file that the driver documents")
        except FileNotFoundError:
            if required:
                self.problems.append(Problem(path, "no such file", "a file that every driver has"))
        except PermissionError as error:
            self.problems.append(Problem(path, error_name(error), "a readable file"))
        except FileProblem as problem:
            self.problems.append(problem.problem)
        return None


def _if_any(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda text: parse(text) if text else None
