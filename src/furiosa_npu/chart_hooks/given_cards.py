"""Whether a container has been given an NPU: what `helm test` looks at, from inside."""

import os
import stat
from collections.abc import Mapping

from furiosa_npu.hardware.families import TRAITS


def given_cards(environment: Mapping[str, str], devfs: str) -> tuple[str, bool]:
    """What is there, and whether it is an NPU: each PE that NPU_DEVNAME names has a device file below `devfs`."""
    told = environment.get("NPU_DEVNAME", "")
    names = [name for name in told.split(",") if name]
    if not names:
        return "NPU_DEVNAME: found nothing, expected the name of an NPU's PEs, as in npu0pe0-1", False
    lacking = [name for name in names if not any(map(_is_device, _places(devfs, name)))]
    if lacking:
        return f"NPU_DEVNAME={told}: found no device file {' or '.join(_places(devfs, lacking[0]))}", False
    return f"NPU_DEVNAME={told}: each has its device file", True


def _places(devfs: str, name: str) -> tuple[str, ...]:
    """In each family's folder."""
    folders = (traits.device_folder for traits in TRAITS.values())
    return tuple(f"{devfs}/{folder}/{name}" if folder else f"{devfs}/{name}" for folder in folders)


def _is_device(path: str) -> bool:
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False
