"""Writes the image's bill of materials, SPDX 2.3 as JSON: `python3.11 image/sbom.py ROOT OUT --linked FILE`.

From what lies in the image: dpkg's record of each Debian package (/var/lib/dpkg/status.d, deb822 as in
deb-control(5)) and each Python distribution's METADATA (core metadata, PyPA); and from what this machine's dpkg says of
the files that went into furiosactl. The same image gives the same bytes.
https://spdx.github.io/spdx-spec/v2.3/
"""

import argparse
import hashlib
import json
import subprocess
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, NamedTuple

UNKNOWN = "NOASSERTION"
CREATED = "1970-01-01T00:00:00Z"
"""SPDX wants a time; the image's files have this one too."""
IDENTIFIERS = ("Apache-2.0", "BSD-3-Clause")
"""of SPDX's list of licences, those that distributions of ours have in `License`, which may hold any text"""


class Component(NamedTuple):
    """Something with a version that is in the image."""

    name: str
    version: str
    supplier: str
    """as SPDX has it: `Organization: NAME`, or NOASSERTION"""
    purl: str
    """https://github.com/package-url/purl-spec"""
    licence: str
    """an SPDX licence expression, or NOASSERTION"""
    source: str = ""
    """of a Debian package: name and version of its source package"""


def debian_package(control: str) -> Component:
    """From a package's control file."""
    fields = HeaderParser().parsestr(control)
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}&distro=debian-12"
    return Component(name, version, "Organization: Debian", purl.replace("+", "%2B"), UNKNOWN, _source(fields))


def _source(fields: Message) -> str:
    """deb-control(5): `Source: NAME (VERSION)`, less what is the binary package's."""
    name, _, version = fields.get("Source", fields["Package"]).partition(" ")
    return f"{name} {version.strip('()') or fields['Version']}"


def python_distribution(metadata: str) -> Component:
    """From a distribution's METADATA."""
    fields = HeaderParser().parsestr(metadata)
    name, version = fields["Name"], fields["Version"]
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
    return Component(name, version, UNKNOWN, purl, _licence(fields))


def _licence(fields: Message) -> str:
    told = fields["License"]
    return fields["License-Expression"] or (told if told in IDENTIFIERS else UNKNOWN)


def components(root: Path) -> list[Component]:
    """By name; the Debian packages first. Those Python distributions that are Debian packages are told once."""
    debian = [debian_package(file.read_text()) for file in sorted((root / "var/lib/dpkg/status.d").iterdir())]
    own = sorted((root / "usr/local/lib/python3.11/dist-packages").glob("*.dist-info/METADATA"))
    return [*debian, *(python_distribution(file.read_text()) for file in own)]


def owners(searched: str) -> list[list[str]]:
    """Of each file the packages that have it, as `dpkg-query --search` prints them: `a:amd64, a:arm64: /path`."""
    return [line.partition(": ")[0].split(", ") for line in searched.splitlines()]


def parts(files: list[str], found: list[Component]) -> list[Component]:
    """The Debian packages, by name, that have these files of this machine. Of several that share a file the one that is
    in the image too. Raises CalledProcessError for a file that is no package's.
    """
    shared = owners(_dpkg_query("--search", *files))
    known = {name: debian_package(_dpkg_query("--status", name)) for name in {one for names in shared for one in names}}
    return sorted({next((known[name] for name in names if known[name] in found), known[names[0]]) for names in shared})


def _dpkg_query(*words: str) -> str:
    return subprocess.run(["dpkg-query", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def document(own: Component, found: list[Component], linked: list[Component]) -> dict[str, Any]:
    """The SPDX document of the image that is named as our own distribution. `found`: what is in the image beside
    furiosactl; `linked`: what is in furiosactl, by static linking.

    A package URL of type `oci` has a digest for its version, which no file in the image can name.
    """
    name, version = own.name, own.version
    image = _package("SPDXRef-image", Component(name, version, UNKNOWN, f"pkg:oci/{name}", UNKNOWN))
    static = Component("furiosactl", version, UNKNOWN, f"pkg:generic/furiosactl@{version}", own.licence)
    identifiers = {static: "SPDXRef-furiosactl"}
    for one in (*found, *linked):
        identifiers.setdefault(one, f"SPDXRef-{len(identifiers)}")
    packages = [_package(identifier, one) for one, identifier in identifiers.items()]
    relations = [
        _relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
        *(_relation("SPDXRef-image", "CONTAINS", identifiers[one]) for one in (static, *found)),
        *(_relation(identifiers[static], "STATIC_LINK", identifiers[one]) for one in linked),
    ]
    digest = hashlib.sha256(json.dumps([packages, relations], sort_keys=True).encode()).hexdigest()
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{version}-{digest}",
        "creationInfo": {"created": CREATED, "creators": [f"Tool: {name}-sbom-{version}"]},
        "packages": [image, *packages],
        "relationships": relations,
    }


def _package(identifier: str, component: Component) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": component.name,
        "versionInfo": component.version,
        "supplier": component.supplier,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": component.licence,
        "copyrightText": UNKNOWN,
        **({"sourceInfo": f"built package from: {component.source}"} if component.source else {}),
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl}
        ],
    }


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the image's bill of materials.")
    parser.add_argument("root", type=Path, help="the image's file system")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("--linked", type=Path, required=True, help="what static/build.py wrote with --inputs")
    parser.add_argument("--name", default="furiosa-npu", help="of the image")
    options = parser.parse_args()
    found = components(options.root)
    own = next(one for one in found if one.name == options.name)
    linked = parts(options.linked.read_text().splitlines(), found)
    options.out.write_text(json.dumps(document(own, found, linked), indent=1) + "\n")


if __name__ == "__main__":
    main()
