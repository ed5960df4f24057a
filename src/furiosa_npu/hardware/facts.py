"""Collects the facts of one folder: each file read, parsed, or put down as a `Problem`; nothing raises."""

from collections.abc import Callable
from typing import TypeVar

from furiosa_npu.hardware.driver_file import FileProblem, error_name, read_text, shortened
from furiosa_npu.hardware.reading import Problem

T = TypeVar("T")


class Facts:
    """Reads files of `folder`; `problems` gathers what is broken, in the order of reading."""

    def __init__(self, folder: str, problems: list[Problem]) -> None:
        self.folder = folder
        self.problems = problems

    def required(self, name: str, parse: Callable[[str], T], *, may_be_empty: bool = False) -> T | None:
        """A file that every driver has; missing is a problem. With `may_be_empty`, empty is absent."""
        return self._read(name, parse, required=True, may_be_empty=may_be_empty)

    def optional(self, name: str, parse: Callable[[str], T]) -> T | None:
        """A file that only some generations of the driver have; missing is absent."""
        return self._read(name, parse, required=False, may_be_empty=False)

    def _read(self, name: str, parse: Callable[[str], T], *, required: bool, may_be_empty: bool) -> T | None:
        path = f"{self.folder}/{name}"
        try:
            text = read_text(path, "the file that the driver documents")
        except FileProblem as problem:
            self.problems.append(problem.problem)
            return None
        except PermissionError as error:
            self.problems.append(Problem(path, error_name(error), "a readable file"))
            return None
        if text is None:
            if required:
                self.problems.append(Problem(path, "no such file", "a file that every driver has"))
            return None
        if not text and may_be_empty:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(Problem(path, shortened(text), str(error)))
            return None
