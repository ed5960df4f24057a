"""The table of docs/health.md from the code; `python -m tests.docs.health` writes it anew."""

import re

from furiosa_npu.health.signs import SIGNS
from tests.docs.markdown import REPOSITORY

DOCUMENT = REPOSITORY / "docs/health.md"
_TABLE = re.compile(r"(\| Sign \|.*\n\|[-|]+\n)((?:\|.*\n)*)")


def rendered(document: str) -> str:
    """The document with the rows of its table of signs from the code. Raises ValueError where it has no such table."""
    table = _TABLE.search(document)
    if table is None:
        raise ValueError(f"{DOCUMENT}: found no table of signs")
    rows = ((f"`{sign.name}`", sign.severity, _bound(sign.name, sign.bound), sign.unit, sign.meaning) for sign in SIGNS)
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return document[: table.end(1)] + lines + document[table.end() :]


def _bound(name: str, bound: float | None) -> str:
    if bound is None:
        return ""
    return hex(int(bound)) if name == "throttling" else f"{bound:g}"


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
