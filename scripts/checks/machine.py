"""What this machine is and has: root's rights, Debian's packages."""

import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from scripts.checks.tries import tried

OF_PYTHON = "python3.11"


class NoPackages(Exception):
    """apt could not install what is missing."""


def why_no_root_stages() -> str | None:
    """Why stages that need root cannot run here; None where they can."""
    if os.geteuid() != 0:
        return f"uid {os.geteuid()} started this, and it needs root"
    release = _os_release()
    if (release.get("ID"), release.get("VERSION_ID")) != ("debian", "12"):
        return f"this is {release.get('PRETTY_NAME', platform.system())}, and it needs Debian 12's packages"
    tried = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"root may not make namespaces here: {tried.stderr.strip()}"
    return None


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def can_make_venvs(python: str) -> bool:
    """Debian has `venv` and the pip that goes in it in a package of its own."""
    return (
        subprocess.run([python, "-I", "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0
    )


def missing(packages: Iterable[str]) -> list[str]:
    """Those that dpkg does not know as installed."""
    wanted = sorted(set(packages))
    if not wanted:
        return []
    show = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *wanted]
    told = subprocess.run(show, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in told.splitlines() if line.endswith(" installed")}
    return [package for package in wanted if package not in installed]


def to_install(lacking: list[str]) -> list[str]:
    """What apt is asked for: a part of Python names the interpreter too.

    Its packages depend on each other by exact version, and a machine's may be older than the archive's: apt brings
    an installed one up to date only where it is named.
    """
    of_python = any("python3" in package for package in lacking)
    return sorted({*lacking, OF_PYTHON}) if of_python else lacking


def install(packages: list[str]) -> None:
    """Raises NoPackages where apt says no, in each of a few tries. What apt writes is for whoever waits."""
    status = tried(lambda: (_apt_get("update"), _apt_get("install", "-y", "--no-install-recommends", *packages))[1])
    if status != 0:
        raise NoPackages(f"apt-get install {' '.join(packages)}: exit {status}; what it said stands above")


def _apt_get(*words: str) -> int:
    """Its exit status. For the lock of its lists, which apt-daily.service holds after a boot, it does not wait."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-o", "Dpkg::Use-Pty=0", "-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=300"]
    command = ["apt-get", *options, *words]
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


def cache_folder() -> Path:
    """What is kept between runs, beside the checkout: root's in /var/cache."""
    named = os.environ.get("FURIOSA_NPU_CACHE")
    if named:
        return Path(named).absolute()
    return Path("/var/cache/furiosa-npu") if os.geteuid() == 0 else Path.home() / ".cache/furiosa-npu"
