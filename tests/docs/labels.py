"""The table of docs/labels.md from the code; `python -m tests.docs.labels` writes it anew."""

import re

from furiosa_npu.node_labeller.more_labels import TABLE
from tests.docs.markdown import REPOSITORY

DOCUMENT = REPOSITORY / "docs/labels.md"
_TABLE = re.compile(r"(\| Label \| `--labels` \|.*\n\|[-|]+\n)((?:\|.*\n)*)")
_LIVES = {"hardware": "the hardware", "driver": "the driver", "plane": "the plane"}


def rendered(document: str) -> str:
    """The document with the rows of its table of labels from the code. Raises ValueError where it has none."""
    table = _TABLE.search(document)
    if table is None:
        raise ValueError(f"{DOCUMENT}: found no table of labels")
    rows = (
        (f"`{label.name}`", f"`{label.group}`", f"`{label.example}`", label.meaning, _LIVES[label.life])
        for label in TABLE
    )
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return document[: table.end(1)] + lines + document[table.end() :]


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
