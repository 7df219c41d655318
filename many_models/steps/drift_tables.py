"""Markdown tables of the groups that have drifted most, for the pages that an operator looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]


def accuracy_table(rows: Sequence[Row]) -> str:
    """Groups whose champion has drifted, with its error beside the promise."""
    lines = [
        [
            row["group_key"],
            _figure(row["promised"]),
            _figure(row["error"]),
            _ratio(row["error"], row["promised"]),
            str(row["judged"]),
            _figure(row["excess"]),
            _day(row["drifted_since"]),
            f"{row['candidate']}, version {row['model_version']}",
        ]
        for row in rows
    ]
    heads = ["group", "promised", "error", "ratio", "judged", "excess", "since", "champion"]
    return _table(heads, lines)


def shift_table(rows: Sequence[Row], target: str) -> str:
    """Groups whose data have shifted, in standard deviations."""
    lines = [
        [
            row["group_key"],
            _figure(row["target_shift"]),
            row["shifted_feature"] or "",
            _figure(row["feature_shift"]),
        ]
        for row in rows
    ]
    return _table(["group", f"shift of {target}", "feature", "its shift"], lines)


def age_table(rows: Sequence[Row]) -> str:
    """Groups whose champion is too old."""
    lines = [
        [
            row["group_key"],
            _day(row["trained_through"]),
            _day(row["data_through"]),
            f"{row['age_days']:.0f}",
        ]
        for row in rows
    ]
    return _table(["group", "trained through", "data through", "days"], lines)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in r) + " |" for r in rows)


def _figure(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def _ratio(error: float, promised: float) -> str:
    return f"{error / promised:.2f}" if promised else "infinite"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else str(moment).removesuffix(" 00:00:00")
