"""A container's file tree as a plugin's answer makes it, in a folder: this kubelet runs no container.

Only what was given is there: the device files at their places in the container, and the mounts. A mount at the very
path that it has on the host (the sysfs root of a simulation) needs no place of its own.
"""

import os
import subprocess
from collections.abc import Sequence

from furiosa_npu.kubelet.deviceplugin_v1beta1 import ContainerAllocateResponse


class ContainerView:
    """What a process in the container would see."""

    def __init__(self, folder: str, answer: ContainerAllocateResponse) -> None:
        """Lays the tree out in `folder`, which is made. A device is a plain file, as where it comes from."""
        self._root = folder
        self._answer = answer
        os.makedirs(f"{folder}/dev")
        for device in answer.devices:
            place = folder + device.container_path
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.link(device.host_path, place)
        for mount in answer.mounts:
            if mount.container_path != mount.host_path:
                place = folder + mount.container_path
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.symlink(mount.host_path, place)

    @property
    def environment(self) -> dict[str, str]:
        """The plugin's variables; the devfs root alone is said as this process sees it."""
        return {**self._answer.envs, "FURIOSA_DEVFS_ROOT": f"{self._root}/dev", "PATH": f"{self._root}/usr/bin"}

    def run(self, command: Sequence[str]) -> str:
        """What a command prints inside. Raises CalledProcessError, with what it printed, for an exit code not 0."""
        environment = self.environment
        found = f"{environment['PATH']}/{command[0]}"
        words = [found if os.path.exists(found) else f"/bin/{command[0]}", *command[1:]]
        done = subprocess.run(
            words, env=environment, cwd=self._root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        return done.stdout.decode()
