"""Builds furiosactl as one static executable: `/usr/bin/python3.11 static/build.py OUT`.

From Debian's libpython3.11.a and the frozen bytecode of the modules that furiosactl imports. Needs gcc, libc6-dev,
libpython3.11-dev, libexpat1-dev and zlib1g-dev, for another architecture its cross compiler and these packages of it.
The same inputs give the same file, byte for byte.
"""

import argparse
import marshal
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from modulefinder import Module, ModuleFinder
from pathlib import Path
from types import CodeType
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"
MAIN = "from furiosa_npu.furiosactl.__main__ import main\nmain()\n"
ALWAYS = ("encodings.utf_8", "encodings.latin_1", "encodings.ascii", "encodings.aliases")
"""What no import statement shows: the interpreter asks for them by name."""
LEFT_OUT = (
    *(
        "encodings.mbcs",
        "encodings.oem",
        "_bootsubprocess",
        "_osx_support",
        "_strptime",
        "argparse",
        "asyncio",
        "bdb",
        "bz2",
        "calendar",
        "cmd",
        "code",
    ),
    *("codeop", "concurrent", "copy", "datetime", "decimal", "difflib", "dis", "doctest", "email"),
    *("fractions", "getopt", "gettext", "glob", "gzip", "html", "http", "importlib.metadata", "inspect", "locale"),
    *("logging", "lzma", "multiprocessing", "ntpath", "nturl2path", "numbers", "optparse", "org", "pathlib", "pdb"),
    *("pickle", "pkgutil", "platform", "posix_spawn", "pprint", "pydoc", "queue", "random", "runpy", "select"),
    *("selectors", "shlex", "shutil", "signal", "site", "socket", "socketserver", "ssl", "statistics", "string"),
    *("subprocess", "sysconfig", "tarfile", "tempfile", "textwrap", "threading", "tkinter", "tracemalloc", "tty"),
    *("unittest", "urllib", "uuid", "webbrowser", "winreg", "xml", "zipfile", "zipimport", "traceback", "tokenize"),
    *("ast", "linecache"),
)
"""Imported by functions of the library that furiosactl never calls; a test runs every command without them."""
FLAGS = ("-s", "-X", "no_debug_ranges", "-X", "furiosactl_build")
"""The last one is nobody's but ours: it tells the process that goes on from the one that was called."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
"""All of it: nobody's PYTHONPATH or CPATH gets into the file, and sets are marshalled in one order."""
TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""Debian's names of architectures, and how its compilers and folders for them are named"""
LINK = ("-static", "-Wl,--build-id=none", "-Wl,--gc-sections")


class Frozen(NamedTuple):
    name: str
    code: bytes
    package: bool
    file: Path
    """that it was compiled from"""


def closure() -> list[Frozen]:
    """The frozen modules, by name; file names in tracebacks are relative."""
    finder = ModuleFinder(path=[str(SOURCES), sysconfig.get_path("stdlib")], excludes=list(LEFT_OUT))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "__main__.py"
        script.write_text(MAIN)
        finder.run_script(str(script))
        for name in ALWAYS:
            finder.import_hook(name)
        modules = [_freeze(name, module) for name, module in sorted(finder.modules.items()) if _file(module)]
    return [module for module in modules if module is not None]


def _freeze(name: str, module: Module) -> Frozen | None:
    path = Path(_file(module) or "")
    if path.suffix != ".py":
        return None  # an extension module: in libpython, or done without
    if name == "__main__":
        shown = "furiosactl"
    else:
        root = SOURCES if path.is_relative_to(SOURCES) else Path(sysconfig.get_path("stdlib"))
        shown = str(path.relative_to(root))
    code = compile(path.read_bytes(), shown, "exec", dont_inherit=True, optimize=2)
    return Frozen(name, _marshalled(code), getattr(module, "__path__", None) is not None, path)


def _file(module: Module) -> str | None:
    """modulefinder's `__file__`, which a built-in module has not."""
    file: str | None = getattr(module, "__file__", None)
    return file


def _marshalled(code: CodeType) -> bytes:
    """Through marshal twice: what is shared in memory by chance would else show in the bytes."""
    return marshal.dumps(marshal.loads(marshal.dumps(code)))  # noqa: S302 - our own bytes


def write_table(modules: list[Frozen], folder: Path) -> None:
    """`frozen.bin`, the code of all modules; `frozen.S` and `frozen_table.h` that name it."""
    offset = 0
    rows = []
    with (folder / "frozen.bin").open("wb") as blob:
        for module in modules:
            padding = -offset % 16
            blob.write(bytes(padding) + module.code)
            offset += padding
            size, package = len(module.code), int(module.package)
            rows.append(f'    {{"{module.name}", frozen_code + {offset}, {size}, {package}, 0}},')
            offset += size
    (folder / "frozen.S").write_text(
        '.section .rodata\n.balign 16\n.global frozen_code\nfrozen_code:\n.incbin "frozen.bin"\n'
        '.section .note.GNU-stack,"",@progbits\n'
    )
    table = "\n".join(rows)
    (folder / "frozen_table.h").write_text(
        "extern const unsigned char frozen_code[];\n"
        f"static const struct _frozen frozen_table[] = {{\n{table}\n    {{0, 0, 0, 0, 0}},\n}};\n"
    )


def link(folder: Path, out: Path, triplet: str) -> list[Path]:
    """Compiles and links in `folder`, by relative names, so that the folder's name is not in the file.

    Returns the archives and objects that the linker read (ld(1), `--trace`), but those made here.
    """
    include, archive = sysconfig.get_path("include"), f"{sysconfig.get_path('stdlib')}/config-3.11-{triplet}"
    gcc = f"{triplet}-gcc"
    shutil.copy(HERE / "main.c", folder / "main.c")
    compiled = [[gcc, "-Os", "-c", f"-I{include}", "-I.", "main.c"], [gcc, "-c", "frozen.S"]]
    libraries = [f"{archive}/libpython3.11.a", "-lexpat", "-lz", "-lm"]
    linked = [gcc, *LINK, "-Wl,--trace", "-o", "furiosactl", "main.o", "frozen.o", *libraries]
    for command in compiled:
        _run(command, folder)
    traced = _run(linked, folder)
    _run([f"{triplet}-strip", "furiosactl"], folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f"{out.name}.new")
    shutil.copy(folder / "furiosactl", beside)
    beside.chmod(0o755)
    beside.rename(out)
    return [Path(name) for name in traced.splitlines() if Path(name).is_absolute()]


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")
    return done.stdout


def others(files: Iterable[Path]) -> list[str]:
    """Their real names, in order, without our own sources."""
    return sorted({str(file.resolve()) for file in files if not file.is_relative_to(SOURCES)})


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds the static furiosactl.")
    parser.add_argument("out", type=Path, help="the executable to write")
    parser.add_argument("--objects", type=Path, help="folder for the objects to relink it with another glibc")
    parser.add_argument("--inputs", type=Path, help="file for the names of all files that went in, but our own sources")
    parser.add_argument("--architecture", choices=TRIPLETS, help="Debian's name of it (default: this one)")
    options = parser.parse_args()
    if "furiosactl_build" not in sys._xoptions:
        os.execve(sys.executable, [sys.executable, *FLAGS, *sys.argv], ENVIRONMENT)  # noqa: S606
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        modules = closure()
        write_table(modules, folder)
        linked = link(folder, options.out, TRIPLETS.get(options.architecture) or sysconfig.get_config_var("MULTIARCH"))
        if options.objects is not None:
            options.objects.mkdir(parents=True, exist_ok=True)
            for made in ("main.o", "frozen.o"):
                shutil.copy(folder / made, options.objects / made)
    if options.inputs is not None:
        names = others([*linked, *(module.file for module in modules if module.name != "__main__")])
        options.inputs.write_text("".join(f"{name}\n" for name in names))


if __name__ == "__main__":
    main()
