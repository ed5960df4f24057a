"""The documents as a site: both languages, their links, and that reading it asks no other host."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.markdown import REPOSITORY, blocks
from tests.docs.site import broken_links, build, read

DOCS = REPOSITORY / "docs"
KOREAN_PAGES = [
    "architecture",
    "cdi",
    "claims",
    "development",
    "dra",
    "health",
    "helm",
    "image",
    "index",
    "labels",
    "monitoring",
    "moving-from-vendor-agents",
    "moving-to-dra",
    "nfd",
    "planes",
    "resource-slices",
    "security",
    "simulator",
    "startup-taint",
    "troubleshooting",
    "versions",
    "why-pending",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once; a warning would have failed it."""
    output = tmp_path_factory.mktemp("site")
    build(output)
    return output


def _pages(folder: Path, ending: str) -> list[str]:
    return sorted(path.stem for path in folder.glob(f"*{ending}"))


def test_both_languages_are_built(site: Path) -> None:
    """Each document is a page, and nothing else is, but the search."""
    assert _pages(site, ".html") == sorted([*_pages(DOCS, ".md"), "search"])
    assert _pages(site / "ko", ".html") == sorted([*KOREAN_PAGES, "search"])
    assert '<html class="no-js" lang="ko"' in (site / "ko/index.html").read_text()


def test_every_link_leads_somewhere(site: Path) -> None:
    """To a file of the site and to an anchor in it, from one language to the other too."""
    assert list(broken_links(site)) == []


def test_each_page_leads_to_the_other_language(site: Path) -> None:
    """To the same page there, or to the front page where there is none."""
    for page in _pages(DOCS, ".md"):
        there = page if page in KOREAN_PAGES else "index"
        assert f"ko/{there}.html" in read(site / f"{page}.html").links
    for page in KOREAN_PAGES:
        assert f"../{page}.html" in read(site / f"ko/{page}.html").links


def test_reading_it_asks_no_other_host(site: Path) -> None:
    """Styles, scripts, fonts and pictures are all in the site."""
    loaded = {reference for page in site.rglob("*.html") for reference in read(page).loaded}
    styles = [path.read_text() for path in site.rglob("*.css")]
    loaded |= {found for style in styles for found in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", style)}
    assert [reference for reference in sorted(loaded) if re.match(r"(https?:)?//", reference)] == []


def _code(page: Path) -> list[str]:
    """The lines of a document's code blocks, fenced or indented."""
    inside = "\n".join(block.text for block in blocks(page))
    outside = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return sorted([*inside.split("\n"), *re.findall(r"^ {4,}(\S.*)$", outside, re.MULTILINE)])


@pytest.mark.parametrize("page", [page for page in KOREAN_PAGES if page != "index"])
def test_both_languages_show_the_same_commands(page: str) -> None:
    """And the same answers; of the front pages, which are the READMEs, test_readme_commands.py shows it."""
    assert _code(DOCS / f"ko/{page}.md") == _code(DOCS / f"{page}.md")


@pytest.mark.parametrize("page", [page for page in KOREAN_PAGES if page != "index"])
def test_both_languages_have_as_many_points_and_rows(page: str) -> None:
    """What was added to one alone shows here."""
    counts = [
        [
            len(re.findall(pattern, (DOCS / path).read_text(), re.MULTILINE))
            for pattern in (r"^ *[*-] ", r"^\|", r"^#+ ")
        ]
        for path in (f"{page}.md", f"ko/{page}.md")
    ]
    assert counts[0] == counts[1]


def test_a_link_to_an_anchor_that_is_not_there_is_found(tmp_path: Path) -> None:
    """One that Sphinx does not check, since it leads to the other language's build."""
    (tmp_path / "ko").mkdir()
    (tmp_path / "ko/a.html").write_text(
        '<a href="../b.html#there"></a><a href="../b.html#gone"></a><a href="c.html"></a>'
    )
    (tmp_path / "b.html").write_text('<h2 id="there"></h2>')
    assert list(broken_links(tmp_path)) == [("ko/a.html", "../b.html#gone"), ("ko/a.html", "c.html")]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A repository with what builds the site, an English front page, and no Korean one."""
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("scripts", "docs/site"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    (tmp_path / "docs/ko").mkdir()
    (tmp_path / "docs/index.md").write_text("# Front\n")
    return tmp_path


def _complaint(sources: Path) -> str:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        build(sources / "out", sources / "scripts/site")
    return str(failure.value.stderr)


def test_a_link_that_leads_nowhere_fails_the_build(sources: Path) -> None:
    """And the message names the page and the link."""
    (sources / "docs/index.md").write_text("# Front\n\n[gone](gone.md#away)\n")
    assert re.search(r"docs/index\.md:3: WARNING: .*gone\.md", _complaint(sources))


def test_a_link_of_the_korean_readme_that_leads_nowhere_fails_the_build(sources: Path) -> None:
    """The Korean front page includes it, and the message names it."""
    (sources / "docs/ko/index.md").write_text((DOCS / "ko/index.md").read_text().partition("```{toctree}")[0])
    (sources / "README.ko.md").write_text("# furiosa-npu\n\n[English](README.md)\n\n[gone](docs/gone.md)\n")
    assert re.search(r"README\.ko\.md:5: WARNING: .*gone\.md", _complaint(sources))
