"""The table of our image beside the Go peers' images, and how an image is weighed."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from benchmarks.peers.image_files import NoImage, unpacked_bytes
from benchmarks.peers.images import Image, table, together

MIB = 1 << 20
SCRATCH = Image("exact", (30 * MIB, 20 * MIB), "none", 0)
DEBIAN = Image("full", (30 * MIB, 20 * MIB), "Debian slim", 50 * MIB)
UNKNOWN = Image("small", (20 * MIB,), "busybox", None)


def test_the_table_has_a_row_an_image_with_what_it_is_made_of() -> None:
    """A base that is not here counts for nothing, which is said: the sum is then the least there can be."""
    shown = table([DEBIAN, SCRATCH, UNKNOWN, together("both", [SCRATCH, UNKNOWN])], 40 * MIB)
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines()]
    assert [told[0], *told[2:]] == [
        ["image", "programs", "MiB", "base", "MiB", "sum, MiB", "ours, MiB", "ratio", "ours is smaller"],
        ["full", "2", "50.0", "Debian slim", "50.0", "100.0", "40.0", "0.40", "yes"],
        ["exact", "2", "50.0", "none", "0.0", "50.0", "40.0", "0.80", "yes"],
        ["small", "1", "20.0", "busybox", "not here", "> 20.0", "40.0", "< 2.00", "no"],
        ["both", "3", "70.0", "theirs", "not here", "> 70.0", "40.0", "< 0.57", "yes"],
    ]
    assert len({len(line) for line in shown.splitlines()}) == 1


def test_images_together_have_all_programs_and_all_bases() -> None:
    """Where all of them are here."""
    assert together("both", [DEBIAN, SCRATCH]) == Image(
        "both", (30 * MIB, 20 * MIB, 30 * MIB, 20 * MIB), "theirs", 50 * MIB
    )


def test_ours_is_smaller_only_where_it_is_by_a_byte() -> None:
    """As large is not smaller."""
    assert [table([SCRATCH], ours).rstrip(" |").rpartition(" ")[2] for ours in (50 * MIB - 1, 50 * MIB)] == [
        "yes",
        "no",
    ]


def _tar(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def test_an_image_weighs_what_the_files_of_its_layers_weigh(tmp_path: Path) -> None:
    """Of all layers, less those whose names begin as asked; what else lies in the archive counts for nothing."""
    archive = tmp_path / "image.tar"
    layers = {"a.tar": _tar({"./usr/share/doc/x": b"123", "./usr/share/docs": b"12"}), "b.tar": _tar({"bin/y": b"1"})}
    archive.write_bytes(_tar({"manifest.json": json.dumps([{"Layers": [*layers]}]).encode(), **layers}))
    assert unpacked_bytes(archive) == 6
    assert unpacked_bytes(archive, ("usr/share/doc/", "bin/")) == 2


def test_an_archive_without_an_images_manifest_is_refused(tmp_path: Path) -> None:
    """A folder of that name is none."""
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as tar:
        folder = tarfile.TarInfo("manifest.json")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    with pytest.raises(NoImage, match=r"manifest\.json"):
        unpacked_bytes(archive)
