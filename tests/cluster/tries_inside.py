"""Tried from inside an agent's container: what can be written, opened, made, and asked of the API server.

Runs alone (`python3.11 -I -`, this text on its standard input), imports nothing of the tests, changes nothing that
stays. Its output is JSON; arguments: a JSON list of API requests [method, path, content type], and the devfs root.
"""

import ctypes
import errno
import http.client
import json
import os
import socket
import ssl
import stat
import sys
from collections.abc import Callable, Sequence
from functools import partial

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
STATUS = ("Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
TRIED = ".tried-and-removed"


def outcome(deed: Callable[[], object]) -> str:
    """`done`, or the name of the error."""
    try:
        deed()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def status_of_the_agent() -> dict[str, list[str]]:
    with open("/proc/1/status") as lines:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    return {name: fields[name].split() for name in STATUS}


def mount_points() -> list[str]:
    with open("/proc/self/mountinfo") as lines:
        return [line.split()[4] for line in lines]


def mode_of(path: str, look: Callable[[str], os.stat_result]) -> int:
    """0 for what has just gone: /sys and terminals come and go with what else runs on the machine."""
    try:
        return look(path).st_mode
    except FileNotFoundError:
        return 0


def make_a_file_in(folder: str) -> None:
    path = os.path.join(folder, TRIED)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.unlink(path)


def open_for_writing(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK))


def written() -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """Each folder and each regular file of the container but /proc: where writing is possible, by mount point; and
    what the errors were elsewhere.
    """
    mounts = sorted(mount_points(), key=len, reverse=True)

    def mount_of(path: str) -> str:
        return next(point for point in mounts if point in ("/", path) or path.startswith(point + "/"))

    possible: dict[str, list[str]] = {}
    refused: dict[str, dict[str, int]] = {}
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders.remove("proc")
        regular = [path for name in files if stat.S_ISREG(mode_of(path := os.path.join(folder, name), os.lstat))]
        tries = [(folder, outcome(partial(make_a_file_in, folder)))]
        tries += [(path, outcome(partial(open_for_writing, path))) for path in regular]
        for path, how in tries:
            if how == "done":
                possible.setdefault(mount_of(path), []).append(path)
            else:
                refused.setdefault(mount_of(path), {}).setdefault(how, 0)
                refused[mount_of(path)][how] += 1
    return {point: sorted(paths)[:3] for point, paths in possible.items()}, refused


def open_device(path: str) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))


def opened(devfs_root: str) -> dict[str, str]:
    """Each device file below the root, opened for reading and writing."""
    found = {}
    for folder, _, files in os.walk(devfs_root):
        for name in files:
            path = os.path.join(folder, name)
            if stat.S_ISCHR(mode_of(path, os.stat)):
                found[path] = outcome(partial(open_device, path))
    return found


def system_call(name: str, *arguments: object) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def call() -> None:
        if getattr(libc, name)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), name)

    return call


def privileged() -> dict[str, str]:
    """What only capabilities allow, each in its plainest form."""
    writable = next((folder for folder in ("/var/lib/furiosa-npu", "/dev/shm") if os.access(folder, os.W_OK)), "/")
    device = os.path.join(writable, TRIED)
    return {
        "mknod": outcome(lambda: os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))),
        "mount": outcome(system_call("mount", b"none", b"/proc", b"tmpfs", 0, None)),
        "unshare user": outcome(system_call("unshare", CLONE_NEWUSER)),
        "unshare mount": outcome(system_call("unshare", CLONE_NEWNS)),
        "chroot": outcome(lambda: os.chroot("/proc")),
        "become another user": outcome(lambda: os.setresuid(12345, 12345, 12345)),
        "become another group": outcome(lambda: os.setgroups([12345])),
        "raw socket": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()),
        "packet socket": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()),
        "set the host's name": outcome(lambda: socket.sethostname("tried")),
        "read the kernel's log": outcome(system_call("klogctl", 3, ctypes.create_string_buffer(64), 64)),
    }


def asked(requests: Sequence[tuple[str, str, str]]) -> list[int]:
    """The status of each request with the pod's own token."""
    with open(f"{ACCOUNT}/token") as file:
        token = file.read()
    context = ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    statuses = []
    for method, path, content_type in requests:
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
        connection.request(method, path, "{}" if content_type else None, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        statuses.append(answer.status)
    return statuses


def main() -> None:
    requests, devfs_root = json.loads(sys.argv[1]), sys.argv[2]
    possible, refused = written()
    tried = {
        "status": status_of_the_agent(),
        "writable": possible,
        "refused": refused,
        "devices": opened(devfs_root),
        "privileged": privileged(),
        "asked": asked(requests),
    }
    print(json.dumps(tried))


main()
