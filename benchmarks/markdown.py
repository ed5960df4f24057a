"""A table in Markdown whose columns stand under each other as text too."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """The head, then `---` or `---:` for each column, then the rest."""
    return "\n".join(_line(row, rows) for row in rows)


def _line(row: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(other[column]) for other in rows) for column in range(len(row))]
    right = [cell == "---:" for cell in rows[1]]
    if row is rows[1]:
        return (
            "|"
            + "|".join("-" * (width + 1) + (":" if to else "-") for width, to in zip(widths, right, strict=True))
            + "|"
        )
    cells = (cell.rjust(width) if to else cell.ljust(width) for cell, width, to in zip(row, widths, right, strict=True))
    return f"| {' | '.join(cells)} |"
