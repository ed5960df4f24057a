"""docs/planes.md, in both languages, against the releases that the tests run on and the chart's own bound."""

import re
from itertools import chain

import pytest

from tests.cluster.releases import RELEASES
from tests.docs.markdown import REPOSITORY, tables

DOCS = REPOSITORY / "docs"
OLDEST, NEWEST = 20, 37
WORDS = {
    "planes.md": ("tested", "not run", "device plugin"),
    "ko/planes.md": ("시험함", "실행하지 않음", "장치 플러그인"),
}
"""For what was run, for what was not, and for the plane that `auto` takes where it is not DRA."""


def _rows(document: str) -> list[list[str]]:
    (table,) = tables(DOCS / document)
    return table[1:]


def _minors(cell: str) -> range:
    """`1.21 to 1.30`, `1.21~1.30`, `1.20.2`: the minor versions of a row."""
    found = [int(minor) for minor in re.findall(r"1\.(\d+)", cell)]
    return range(found[0], found[-1] + 1)


@pytest.mark.parametrize("document", WORDS)
def test_tested_are_the_releases_that_the_tests_run_on(document: str) -> None:
    """These and no others; all other rows say that they were not run."""
    tested, not_run, _ = WORDS[document]
    rows = _rows(document)
    assert [row[0] for row in rows if row[-1].startswith(tested)] == [release.number for release in RELEASES]
    assert [row[0] for row in rows if not row[-1].startswith((tested, not_run))] == []


@pytest.mark.parametrize("document", WORDS)
def test_each_version_has_one_row(document: str) -> None:
    """From the oldest to the newest, in order."""
    assert list(chain(*(_minors(row[0]) for row in _rows(document)))) == list(range(OLDEST, NEWEST + 1))


@pytest.mark.parametrize("document", WORDS)
def test_auto_takes_dra_from_the_charts_version_on(document: str) -> None:
    """As the template says."""
    template = (REPOSITORY / "kubernetes/charts/furiosa-npu/templates/_helpers.tpl").read_text()
    (bound,) = re.findall(r'\$works := and \$served \(semverCompare ">=1\.(\d+)\.0-0"', template)
    *_, device_plugin = WORDS[document]
    assert [(row[0], row[3]) for row in _rows(document)] == [
        (row[0], "DRA" if _minors(row[0])[0] >= int(bound) else device_plugin) for row in _rows(document)
    ]
