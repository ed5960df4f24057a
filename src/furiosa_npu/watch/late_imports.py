"""What asyncio and grpclib import and this agent does not need: 3 MiB of every node's memory, a quarter of its start.

To be called before either is imported. docs/dependencies.md has the figures.
"""

import os
import sys

from furiosa_npu.agent.late_module import LateModule

_CO_COROUTINE = 0x80
"""`inspect.CO_COROUTINE`"""


def put_late_modules() -> None:
    """Told is what is taken while asyncio, h2, multidict and grpclib are imported, and what they ask in peace."""
    sys.modules["ssl"] = None  # type: ignore[assignment]  # import then fails, as on a Python built without it
    LateModule.put("asyncio.sslproto")
    LateModule.put("hpack.huffman_table", "decode_huffman")
    LateModule.put("inspect", iscoroutinefunction=_is_coroutine_function, signature=_no_signature)
    LateModule.put("ipaddress", IPv6Address=_no_address, AddressValueError=ValueError)
    LateModule.put("linecache")
    LateModule.put("pathlib", "Path")
    LateModule.put(
        "platform",
        python_implementation=lambda: "CPython",
        python_version=lambda: "{}.{}.{}".format(*sys.version_info[:3]),
        system=lambda: os.uname().sysname,
    )
    LateModule.put("subprocess", PIPE=-1, STDOUT=-2, DEVNULL=-3)
    LateModule.put("traceback", "extract_stack")
    LateModule.put("urllib.parse", "quote", "unquote")


def _is_coroutine_function(function: object) -> bool:
    """As `inspect` has it, of functions and methods: asyncio asks it of each signal's handler."""
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & _CO_COROUTINE)


def _no_signature(of: object) -> str:
    """`dataclasses` writes it into the docstring of a class that has none."""
    return "(...)"


def _no_address(host: str) -> None:
    """grpclib asks it of each channel's host, and ours are unix sockets alone."""
    raise ValueError(host)
