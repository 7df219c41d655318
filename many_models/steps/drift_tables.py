"""Markdown tables of the groups that have drifted most, for the pages that an operator looks at."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from many_models.core.markdown import tabulate

Row = dict[str, Any]


def accuracy_table(rows: Sequence[Row]) -> str:
    """Groups whose champion has drifted, with its error beside the promise."""
    return tabulate(
        [
            {
                "group": row["group_key"],
                "promised": row["promised"],
                "error": row["error"],
                "ratio": _ratio(row["error"], row["promised"]),
                "judged": row["judged"],
                "excess": row["excess"],
                "since": _day(row["drifted_since"]),
                "champion": f"{row['candidate']}, version {row['model_version']}",
            }
            for row in rows
        ]
    )


def shift_table(rows: Sequence[Row], target: str) -> str:
    """Groups whose data have shifted, in standard deviations."""
    return tabulate(
        [
            {
                "group": row["group_key"],
                f"shift of {target}": row["target_shift"],
                "feature": row["shifted_feature"],
                "its shift": row["feature_shift"],
            }
            for row in rows
        ]
    )


def age_table(rows: Sequence[Row]) -> str:
    """Groups whose champion is too old."""
    return tabulate(
        [
            {
                "group": row["group_key"],
                "trained through": _day(row["trained_through"]),
                "data through": _day(row["data_through"]),
                "days": round(row["age_days"]),
            }
            for row in rows
        ]
    )


def _ratio(error: float, promised: float) -> str:
    return f"{error / promised:.2f}" if promised else "infinite"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else str(moment).removesuffix(" 00:00:00")
