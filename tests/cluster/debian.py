"""Debian's packages as the machine has them configured: which mirror, which suite, and sources from it."""

from pathlib import Path

from tests.cluster.commands import run

_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_ONE_LINE_SOURCES = Path("/etc/apt/sources.list")


class NoDebianSources(Exception):
    """Neither of apt's usual files names a Debian mirror."""


def binary_sources() -> str:
    """The machine's own sources of Debian packages in apt's deb822 form (sources.list(5))."""
    if _SOURCES.is_file():
        return _SOURCES.read_text()
    stanzas = []
    lines = _ONE_LINE_SOURCES.read_text().splitlines() if _ONE_LINE_SOURCES.is_file() else []
    for line in lines:
        words = [word for word in line.split() if not word.startswith(("[", "signed-by", "arch=")) and word != "]"]
        if len(words) > 3 and words[0] == "deb":
            components = " ".join(words[3:])
            stanzas.append(f"Types: deb\nURIs: {words[1]}\nSuites: {words[2]}\nComponents: {components}\n")
    if not stanzas:
        raise NoDebianSources(f"no line of {_ONE_LINE_SOURCES} and no file {_SOURCES} names a Debian mirror")
    return "\n".join(stanzas)


def mirror() -> str:
    """The address of the first Debian mirror, e.g. for debootstrap."""
    for line in binary_sources().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "URIs":
            return value.split()[0]
    raise NoDebianSources(f"no URIs in {_SOURCES}")


def download_source(package: str, into: Path) -> None:
    """The source package's files, checked by apt. The machine's apt configuration and lists stay as they are."""
    private = into / "apt"
    (private / "lists" / "partial").mkdir(parents=True)
    lines = binary_sources().splitlines()
    of_sources = "\n".join("Types: deb-src" if line.startswith("Types:") else line for line in lines)
    (private / "debian.sources").write_text(of_sources + "\n")
    options = [
        f"Dir::Etc::sourcelist={private / 'debian.sources'}",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={private / 'lists'}",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "APT::Sandbox::User=root",
    ]
    apt_get = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    run([*apt_get, "update"])
    run([*apt_get, "source", "--download-only", package], folder=into, deadline_seconds=1200)
