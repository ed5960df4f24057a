"""What the agents leave on a node: removed, once no agent runs there any more."""

import os
import shutil
from collections.abc import Callable, Iterator

from furiosa_npu.allocation.cdi_devices import KIND
from furiosa_npu.cdi.names import file_name
from furiosa_npu.chart_hooks.traces import DELETE_HOOKS
from furiosa_npu.dra_driver.claim_cdi import uid_of_file
from furiosa_npu.dra_driver.names import DRIVER
from furiosa_npu.linux.atomic_file import begun
from furiosa_npu.node_labeller import features_file
from furiosa_npu.watch.options import RESOURCES
from furiosa_npu.watch.plane_lock import AGENTS, holder

_OWN_PREFIXES = (f"{DRIVER}-", *(f"{resource.replace('/', '_')}-" for resource in RESOURCES))
"""of sockets in the kubelet's registry folder"""


def leftovers(state_dir: str, cdi_dir: str, kubelet_dir: str, features_dir: str) -> Iterator[str]:
    """Files, and folders with all that is in them. Raises OSError for a folder that cannot be read.

    Of the agents' own folder all; in folders that others use too, what bears our names.
    """
    yield from _in(state_dir, lambda _: True)
    yield from _in(cdi_dir, _is_specification)
    yield from _in(f"{kubelet_dir}/device-plugins", lambda name: _is_socket(name, ("furiosa-npu-",)))
    yield from _in(f"{kubelet_dir}/plugins_registry", lambda name: _is_socket(name, _OWN_PREFIXES))
    yield from _in(f"{kubelet_dir}/plugins", lambda name: name == DRIVER)
    yield from _in(features_dir, lambda name: (begun(name) or name) == features_file.NAME)


def in_use(state_dir: str) -> str | None:
    """Why nothing may be removed: an agent hands out this node's cards, or that cannot be told. None: none does."""
    try:
        plane = holder(state_dir)
    except FileNotFoundError:
        return None  # no agent was here yet
    except OSError as error:
        where = f"{error.filename or state_dir}: {error.strerror or error}"
        return f"{where}: it cannot be told whether an agent hands out this node's cards: nothing was removed"
    if plane is None:
        return None
    return (
        f"{AGENTS[plane]} hands out this node's cards: nothing was removed. After an uninstallation this is tried "
        "again until it has ended. Where a chart was rendered and applied with its hooks: render it with --no-hooks, "
        f"and {DELETE_HOOKS}"
    )


def remove(path: str) -> None:
    """A file, or a folder and all that is in it; a link is no folder. Raises OSError."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _in(folder: str, ours: Callable[[str], bool]) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in names if ours(name))


def _is_specification(name: str) -> bool:
    """Whole, or begun by an agent that died."""
    whole = begun(name) or name
    return whole == file_name(KIND) or uid_of_file(whole) is not None


def _is_socket(name: str, prefixes: tuple[str, ...]) -> bool:
    return name.endswith(".sock") and name.startswith(prefixes)
