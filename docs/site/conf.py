"""Sphinx: the documents as a site, a build for each language. `scripts/site` runs both, each a warning an error."""

import re
from pathlib import Path

from sphinx.application import Sphinx

_DOCS = Path(__file__).parents[1]
_OUTSIDE = re.compile(r"(?<=\]\()(?:\.\./)+(?P<page>[\w.-]+)\.md(?P<anchor>#[^)]*)?(?=\))")

project = "furiosa-npu"
extensions = ["myst_parser"]
exclude_patterns = ["ko", "site"]
templates_path = ["templates"]
highlight_language = "none"
html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_show_sourcelink = False
html_use_index = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
myst_heading_anchors = 3
myst_url_schemes = {"http": None, "https": None, "site": {"url": "{{path}}#{{fragment}}"}}


def _tell_other_language(app: Sphinx, page: str, _template: str, context: dict[str, object], _doctree: object) -> None:
    """The same page where the other language has it, else its front page."""
    korean = app.config.language == "ko"
    there = _DOCS if korean else _DOCS / "ko"
    context["other_language"] = "English" if korean else "한국어"
    context["other_page"] = f"{'../' if korean else 'ko/'}{page if (there / f'{page}.md').exists() else 'index'}.html"


def _lead_to_the_other_build(app: Sphinx, _page: str, source: list[str]) -> None:
    """Links that leave the build's folder: to the READMEs, which are the front pages, and to English pages."""

    def lead(found: re.Match[str]) -> str:
        page, anchor = found["page"], found["anchor"] or ""
        if app.config.language == "ko" and page == "README.ko":
            return f"index.md{anchor}"  # which includes it
        page = "index" if page == "README" else page
        if not (_DOCS / f"{page}.md").exists():
            return found[0]  # which MyST finds to lead nowhere, and says so with its line
        return f"site:../{page}.html{anchor}" if app.config.language == "ko" else f"{page}.md{anchor}"

    source[0] = _OUTSIDE.sub(lead, source[0])


def _lead_from_the_korean_readme(app: Sphinx, _included: Path, page: str, text: list[str]) -> None:
    """Its links as the Korean front page has them, which includes it two folders below."""
    if app.config.language == "ko":
        text[0] = text[0].replace("](docs/ko/", "](").replace("](docs/", "](../")
        _lead_to_the_other_build(app, page, text)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("include-read", _lead_from_the_korean_readme)
    app.connect("html-page-context", _tell_other_language)
    app.connect("source-read", _lead_to_the_other_build)
