"""How values are written in pages: numbers, shares, moments, durations."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import TypeGuard

NOTHING = "–"  # noqa: RUF001  an en dash, where a table has no value


def number(value: object, digits: int = 3) -> str:
    """``1,234``, ``0.815``, ``12.4``: whole numbers in full, others to some significant digits."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or (abs(value) >= 10**digits and value < 1e15):
        return f"{value:,.0f}"
    return f"{value:,.{digits}g}"


def percent(value: object, digits: int = 0) -> str:
    """``94%``."""
    return f"{value:.{digits}%}" if _is_finite(value) else NOTHING


def signed(value: object, digits: int = 0) -> str:
    """``+23%``, ``-4%``, ``0%``."""
    if not _is_finite(value):
        return NOTHING
    text = f"{value:+.{digits}%}"
    return text[1:] if text.strip("+-0.%") == "" else text


def day(value: object) -> str:
    """``2017-12-31``."""
    return f"{value:%Y-%m-%d}" if isinstance(value, date) else NOTHING


def moment(value: object) -> str:
    """``2017-12-31 06:30``; the date alone of midnight."""
    if not isinstance(value, datetime):
        return day(value)
    return f"{value:%Y-%m-%d}" if f"{value:%H%M%S}" == "000000" else f"{value:%Y-%m-%d %H:%M}"


def as_time(value: object) -> object:
    """A moment that SQLite has computed, which it gives as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def duration(seconds: object) -> str:
    """``0.4 s``, ``31 s``, ``12 min``, ``3.4 h``."""
    if not _is_finite(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 group``, ``2 groups``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _is_finite(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)
