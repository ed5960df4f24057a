"""`mount`: a simulation's sysfs or devfs root as a file system, whose system calls can fail, hang, or find it busy.

libfuse answers each call in a thread of its own, so that one that hangs delays no other. A call that hangs ends when
its fault does, when its caller gets a signal, and when the mount ends.
"""

import ctypes
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from ctypes.util import find_library
from typing import Any

from furiosa_npu.simulator.changes import ChangeError
from furiosa_npu.simulator.mount_files import DevFiles, SysFiles
from furiosa_npu.simulator.mount_mark import mark_mounted
from furiosa_npu.simulator.simulation import Simulation, WrongRootError

HUNG_CALLS = 1000
"""threads at most: so many calls may hang before the next one has to wait"""
_SECONDS_TO_END = 1.0
"""for libfuse to see that it is unmounted; a file that somebody has open still would keep it longer"""
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class NoFuseError(ChangeError):
    """This machine or this Python lacks what a mount needs."""


def mount(
    simulation: Simulation, mountpoint: str, mounted: Callable[[], None], *, devfs: bool, allow_other: bool
) -> None:
    """Serves the sysfs root, or the `devfs` root, at `mountpoint` until SIGTERM or SIGINT, or until it is unmounted.

    `mounted` is called once it is there. Raises `NoFuseError`, `WrongRootError` for a folder of the simulation itself,
    `ChangeError` where it cannot be mounted, `OSError` for a mount point that is no folder.
    """
    fuse, libfuse = _load()
    mountpoint = os.path.realpath(mountpoint)
    _refuse_own(simulation, mountpoint)
    os.listdir(mountpoint)
    ending, ended = threading.Event(), threading.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    threading.Thread(target=_end_at_signal, args=(mountpoint, ending, ended), daemon=True).start()
    files = (DevFiles if devfs else SysFiles)(simulation, lambda: _given_up(libfuse, ending))
    files.init = lambda _path: mounted()  # type: ignore[union-attr]
    options: dict[str, object] = {"attr_timeout": 0, "entry_timeout": 0, "negative_timeout": 0}
    if libfuse.fuse_version() >= 312:
        options["max_threads"] = HUNG_CALLS
    with mark_mounted(simulation.folder, "dev" if devfs else "sys"):
        try:
            fuse.FUSE(
                files,
                mountpoint,
                foreground=True,
                fsname="furiosa-npu-simulator",
                default_permissions=True,
                direct_io=True,
                allow_other=allow_other,
                ro=not devfs,
                **options,
            )
        except RuntimeError as error:
            raise ChangeError(
                f"{mountpoint}: could not be mounted (libfuse's code {error}); it says why above"
            ) from None
        finally:
            ended.set()


def _load() -> tuple[Any, Any]:
    """mfusepy, and libfuse 3 itself for what mfusepy leaves out."""
    os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
    try:
        import mfusepy
    except ImportError as error:
        raise NoFuseError(f"mount needs the Python package {error.name}: pip install 'furiosa-npu[fuse]'") from error
    except OSError as error:
        raise NoFuseError(f"mount needs libfuse 3, Debian's package fuse3 ({error})") from error
    libfuse = ctypes.CDLL(find_library("fuse3"))
    libfuse.fuse_get_context.restype = ctypes.POINTER(ctypes.c_void_p)
    libfuse.fuse_get_session.argtypes = libfuse.fuse_session_exited.argtypes = [ctypes.c_void_p]
    libfuse.fuse_get_session.restype = ctypes.c_void_p
    return mfusepy, libfuse


def _given_up(libfuse: Any, ending: threading.Event) -> int | None:
    """In a thread that answers a call: EINTR where the caller got a signal, EIO where the mount is ending."""
    if libfuse.fuse_interrupted():
        return errno.EINTR
    # struct fuse_context begins with its struct fuse (fuse.h)
    session = libfuse.fuse_get_session(libfuse.fuse_get_context().contents)
    return errno.EIO if ending.is_set() or libfuse.fuse_session_exited(session) else None


def _end_at_signal(mountpoint: str, ending: threading.Event, ended: threading.Event) -> None:
    signal.sigwait(_STOPS)
    ending.set()
    unmount = subprocess.run(["fusermount3", "-u", "-z", mountpoint], capture_output=True, text=True, check=False)
    if not ended.wait(_SECONDS_TO_END):
        # Somebody has a file open. The kernel ends the connection, and each call that waits on it, as we go.
        os._exit(0 if unmount.returncode == 0 else 1)


def _refuse_own(simulation: Simulation, mountpoint: str) -> None:
    for root in (*simulation.roots, "/dev", "/sys"):
        real = os.path.realpath(root)
        if os.path.commonpath([real, mountpoint]) in (real, mountpoint):
            raise WrongRootError(f"{mountpoint}: is within {root}, or holds it; expected a folder of its own")
