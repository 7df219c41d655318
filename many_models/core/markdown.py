"""Tables in Markdown, as an operator's pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def tabulate(rows: Sequence[Mapping[str, Any]], empty: str = "None.") -> str:
    """A table of rows that have the same columns; ``empty`` where there are no rows.

    Numbers have four digits and stand to the right; what Markdown would take for a table's line is
    escaped.
    """
    if not rows:
        return empty
    names = list(rows[0])
    numbers = [all(isinstance(row[name], int | float | None) for row in rows) for name in names]
    lines = [[show(name) for name in names], ["---:" if number else "---" for number in numbers]]
    lines += [[show(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(value: object) -> str:
    """A value as it stands in a table's cell; nothing for None."""
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
