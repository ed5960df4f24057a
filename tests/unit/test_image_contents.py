"""What of Debian's packages goes into the image, and what the bill of materials says of it."""

import pytest
from image.root import placed, wanted
from image.sbom import Component, debian_package, document, owners, python_distribution

CONTROL = """Package: libc6
Status: install ok installed
Source: glibc
Architecture: amd64
Version: 2.36-9+deb12u14
Description: GNU C Library: Shared libraries
 Contains the standard libraries.
"""
LIBC6 = Component(
    "libc6",
    "2.36-9+deb12u14",
    "Organization: Debian",
    "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12",
    "NOASSERTION",
    "glibc 2.36-9+deb12u14",
)
OURS = Component("furiosa-npu", "1.2.3", "NOASSERTION", "pkg:pypi/furiosa-npu@1.2.3", "Apache-2.0")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("./", None),
        ("./lib/", None),
        ("./lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("./lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"),
        ("./usr/bin/python3.11", "usr/bin/python3.11"),
        ("./usr/bin/ldd", None),
        ("./sbin/ldconfig", None),
        ("./usr/share/doc/libc6/copyright", "usr/share/doc/libc6/copyright"),
        ("./usr/share/doc/libc6/changelog.Debian.gz", None),
        ("./usr/share/man/man1/python3.11.1.gz", None),
        ("./usr/lib/x86_64-linux-gnu/gconv/IBM037.so", None),
        ("./usr/lib/locale/C.utf8/LC_CTYPE", None),
        ("./usr/lib/python3.11/asyncio/events.py", "usr/lib/python3.11/asyncio/events.py"),
        ("./usr/lib/python3.11/ensurepip/__init__.py", None),
        ("./usr/lib/python3.11/lib-dynload/_sqlite3.cpython-311-x86_64-linux-gnu.so", None),
        ("./etc/os-release", "etc/os-release"),
        ("./etc/profile", None),
        ("./var/lib/python/python3.11_installed", None),
    ],
)
def test_of_a_package_what_the_agents_use_goes_to_its_place(name: str, expected: str | None) -> None:
    """Below /usr, as the distribution has it; licences stay, programs and manuals do not."""
    assert placed(name) == expected


def test_the_list_of_packages_is_read_without_its_reasons() -> None:
    """A name a line."""
    assert wanted("# why\nlibc6  # the C library\n\nlibffi8\n") == ("libc6", "libffi8")


def test_a_package_is_told_by_what_dpkg_knows_of_it() -> None:
    """A plus sign is quoted in a package URL."""
    assert debian_package(CONTROL) == LIBC6


@pytest.mark.parametrize(
    ("line", "source"),
    [("Source: glibc", "glibc 1-2"), ("Source: glibc (1-1)", "glibc 1-1"), ("Priority: optional", "libc6 1-2")],
)
def test_the_source_package_has_the_binary_ones_name_and_version_where_nothing_else_is_said(
    line: str, source: str
) -> None:
    """Debian's advisories name source packages."""
    told = debian_package(f"Package: libc6\n{line}\nVersion: 1-2\nArchitecture: amd64\n")
    assert (told.version, told.source) == ("1-2", source)


@pytest.mark.parametrize(
    ("line", "licence"),
    [
        ("License-Expression: BSD-3-Clause OR MIT", "BSD-3-Clause OR MIT"),
        ("License: Apache-2.0", "Apache-2.0"),
        ("License: like Zope", "NOASSERTION"),
        ("Classifier: License :: OSI Approved :: BSD License", "NOASSERTION"),
    ],
)
def test_a_distributions_licence_is_what_its_metadata_says_in_spdxs_words(line: str, licence: str) -> None:
    """Metadata before 2.4 may say anything."""
    assert python_distribution(f"Name: grpc_lib\nVersion: 0.4.9\n{line}\n") == Component(
        "grpc_lib", "0.4.9", "NOASSERTION", "pkg:pypi/grpc-lib@0.4.9", licence
    )


def test_a_file_may_be_of_several_packages() -> None:
    """Where one is installed for two architectures."""
    searched = "libc6-dev:amd64: /usr/lib/libc.a\na:amd64, a:arm64: /usr/a: b\n"
    assert owners(searched) == [["libc6-dev:amd64"], ["a:amd64", "a:arm64"]]


def test_the_document_describes_the_image_and_what_is_linked_into_furiosactl() -> None:
    """SPDX 2.3, whole but for its name; a part that the image has as well is told once."""
    expat = LIBC6._replace(name="libexpat1-dev", purl="pkg:deb/debian/libexpat1-dev@2", version="2", source="expat 2")
    made = document(OURS, [LIBC6, OURS], [LIBC6, expat])
    assert made == document(OURS, [LIBC6, OURS], [LIBC6, expat])
    namespace = made.pop("documentNamespace")
    assert namespace.startswith("https://spdx.org/spdxdocs/furiosa-npu-1.2.3-")
    assert namespace != document(OURS, [LIBC6, OURS], [LIBC6])["documentNamespace"]
    assert made == {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "furiosa-npu-1.2.3",
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: furiosa-npu-sbom-1.2.3"]},
        "packages": [
            _package("image", "furiosa-npu", "1.2.3", "pkg:oci/furiosa-npu"),
            _package("furiosactl", "furiosactl", "1.2.3", "pkg:generic/furiosactl@1.2.3", "Apache-2.0"),
            _package("1", "libc6", LIBC6.version, LIBC6.purl) | DEBIANS | {"sourceInfo": BUILT + LIBC6.source},
            _package("2", "furiosa-npu", "1.2.3", OURS.purl, "Apache-2.0"),
            _package("3", "libexpat1-dev", "2", expat.purl) | DEBIANS | {"sourceInfo": BUILT + "expat 2"},
        ],
        "relationships": [
            _relation("DOCUMENT", "DESCRIBES", "image"),
            _relation("image", "CONTAINS", "furiosactl"),
            _relation("image", "CONTAINS", "1"),
            _relation("image", "CONTAINS", "2"),
            _relation("furiosactl", "STATIC_LINK", "1"),
            _relation("furiosactl", "STATIC_LINK", "3"),
        ],
    }


BUILT = "built package from: "
DEBIANS = {"supplier": "Organization: Debian"}


def _package(identifier: str, name: str, version: str, purl: str, licence: str = "NOASSERTION") -> dict[str, object]:
    return {
        "SPDXID": f"SPDXRef-{identifier}",
        "name": name,
        "versionInfo": version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {
        "spdxElementId": f"SPDXRef-{one}",
        "relationshipType": kind,
        "relatedSpdxElement": f"SPDXRef-{other}",
    }
