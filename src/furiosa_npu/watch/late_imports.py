"""What asyncio and grpclib import and this agent does not need: 3 MiB of every node's memory, a quarter of its start.

To be called before either is imported. docs/dependencies.md has the figures.
"""

import os
import sys
import typing
from types import SimpleNamespace
from typing import Any

from furiosa_npu.agent.late_module import LateModule

_CO_COROUTINE = 0x80
"""`inspect.CO_COROUTINE`"""

_HTTP_STATUS = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "TOO_MANY_REQUESTS": 429,
    "BAD_GATEWAY": 502,
    "SERVICE_UNAVAILABLE": 503,
    "GATEWAY_TIMEOUT": 504,
}
"""of `http.HTTPStatus`, what grpclib has in a table"""


def put_late_modules() -> None:
    """Told is what is taken while asyncio, h2, multidict and grpclib are imported, and what they ask in peace."""
    sys.modules["ssl"] = None  # type: ignore[assignment]  # import then fails, as on a Python built without it
    LateModule.put("asyncio.sslproto")
    LateModule.put("base64", "b64decode", "b64encode")
    LateModule.put("copy")
    LateModule.put("hpack.huffman_table", decode_huffman=_decode_huffman)
    LateModule.put("http", HTTPStatus=_HttpStatus())
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
    # Annotations in quotes: evaluated from their text where somebody asks for them, and nobody does. The first compile
    # of a process makes the 200 KiB of types of the `ast` module.
    typing.compile = _text  # type: ignore[attr-defined]


def _decode_huffman(text: bytes | bytearray | memoryview | None) -> bytes:
    from furiosa_npu.kubelet.huffman import decode_huffman

    return decode_huffman(text)


def _text(source: str, *_: str) -> str:
    return source


class _HttpStatus:
    """`http.HTTPStatus`, for who takes numbers from it; with a name that is not known here it is the real one."""

    def __getattr__(self, name: str) -> Any:
        if name in _HTTP_STATUS:
            return SimpleNamespace(value=_HTTP_STATUS[name])
        http = sys.modules["http"]
        getattr(http, "HTTPMethod", None)  # which loads it
        return getattr(http.HTTPStatus, name)


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
