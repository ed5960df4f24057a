"""The first process of a made-up host: makes its mounts, says so, then does nothing but live.

Started by `hosts.Host` as PID 1 of new pid, mount, network, UTS and IPC namespaces. All that the host holds ends with
this process: its mounts are seen nowhere else, and the kernel ends each process of a PID namespace with its first.
Runs alone (`python -I host_init.py HOSTNAME FOLDER`): imports nothing of the tests.
"""

import os
import signal
import socket
import stat
import subprocess
import sys

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_KERNEL_LOG = (1, 11)
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}

# What a kubelet writes into the kernel at its start (pkg/kubelet/cm, setupKernelTunables). It finds these values in
# files that stand over the kernel's, writes nothing, and the machine's settings stay as they are.
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def make_devices() -> None:
    """A /dev of its own: what is put there, or left there, never reaches the machine's."""
    mount("-t", "tmpfs", "-o", "mode=755", "devices", "/dev")
    for name, (major, minor) in _DEVICES.items():
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
    os.mknod("/dev/kmsg", stat.S_IFCHR | 0o644, os.makedev(*_KERNEL_LOG))
    for folder in ("pts", "shm"):
        os.mkdir(f"/dev/{folder}")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", "/dev/pts")
    mount("-t", "tmpfs", "shm", "/dev/shm")
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")


def make_folders(folder: str) -> None:
    """/var/lib and /var/log on disk (overlayfs wants one), /run in memory, as after a boot."""
    for name in ("lib", "log"):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        mount("--bind", f"{folder}/{name}", f"/var/{name}")
    mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")


def pin_kernel_settings() -> None:
    os.mkdir("/run/kernel-settings")
    for setting, value in _KERNEL_SETTINGS.items():
        file = f"/run/kernel-settings/{setting.replace('/', '.')}"
        with open(file, "w") as pinned:
            pinned.write(f"{value}\n")
        mount("--bind", file, f"/proc/sys/{setting}")


def main() -> None:
    hostname, folder = sys.argv[1:]
    os.umask(0)
    socket.sethostname(hostname)
    mount("-t", "proc", "proc", "/proc")
    make_folders(folder)
    make_devices()
    pin_kernel_settings()
    os.umask(0o022)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # orphans come to the first process; the kernel buries them
    print("ready", flush=True)
    os.read(0, 1)  # ends with whoever holds the other end: a test run that was killed takes its hosts along


if __name__ == "__main__":
    main()
