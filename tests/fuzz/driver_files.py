"""Looks for a driver's text of which a parser makes a value that it does not say, guided by the parsers' branches.

    python -m tests.fuzz.driver_files --seconds 60

Each input is the number of a format and a file's content. Exit 0: none was found in the time, or in the runs, given. A
find is printed as a traceback with the text, and its input is kept in a file that libFuzzer names.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["furiosa_npu.hardware.parsers"], enable_loader_override=False):
    from tests.fuzz.formats import FORMATS, check


def one(content: bytes) -> None:
    """One input: as a driver's file is read, then judged. Raises Invented, and whatever a parser must not raise."""
    if not content:
        return
    try:
        text = content[1:].decode()
    except UnicodeDecodeError:
        return
    check(FORMATS[content[0] % len(FORMATS)], text.strip())


def main() -> None:
    """Ends the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.driver_files")
    bound = parser.add_mutually_exclusive_group(required=True)
    bound.add_argument("--seconds", type=int, help="of the search")
    bound.add_argument("--runs", type=int, help="inputs, the same ones each time")
    given = parser.parse_args()
    limits = ["-seed=1", f"-runs={given.runs}"] if given.runs else [f"-max_total_time={given.seconds}"]
    with TemporaryDirectory() as corpus:
        for number, format in enumerate(FORMATS):
            for position, text in enumerate(format.valid):
                Path(corpus, f"{number}-{position}").write_bytes(bytes([number]) + text.encode())
        atheris.Setup([sys.argv[0], *limits, "-max_len=512", "-timeout=60", corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
