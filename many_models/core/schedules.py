"""When a use case runs by itself: cron expressions and their time zone, checked as they are read.

Here belongs what may stand in the file. What the schedules start is in ``defs.schedules``.
"""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from many_models.core.section import Section

ALIASES = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)
_DAYS_AT_MOST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?:\*|(?P<start>\w+)(?:-(?P<end>\w+))?)(?:/(?P<step>\d+))?")


class Schedules(Section):
    """Cron expressions in ``timezone``: ``score`` for the daily work, ``train`` for all models.

    Null leaves one out. Both are there, but switched off, unless the file says otherwise.
    """

    score: str | None = "0 6 * * *"
    train: str | None = "0 3 * * 0"
    timezone: Annotated[str, Field(min_length=1)] = "UTC"

    @field_validator("score", "train")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        if value is not None:
            check_cron(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError) as error:
            raise ValueError(
                "is no time zone; give a name such as UTC, Europe/Berlin or America/New_York"
            ) from error
        return value


def check_cron(expression: str) -> None:
    """Raises ValueError unless this is a cron expression of five fields that has a next time."""
    if expression in ALIASES:
        return
    fields = expression.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            "must be a cron expression of five fields (minute, hour, day of the month, month, day "
            f"of the week), such as 0 6 * * * for six every morning, or one of {', '.join(ALIASES)}"
        )
    found = [_values(text, *known) for text, known in zip(fields, _FIELDS, strict=True)]
    _, _, days, months, _ = found
    if fields[4] == "*" and min(days) > max(_DAYS_AT_MOST[month - 1] for month in months):
        raise ValueError(f"never comes: no month among {fields[3]} has a day {min(days)}")


def _values(text: str, name: str, least: int, most: int, names: tuple[str, ...]) -> set[int]:
    """Values that one field of a cron expression stands for."""
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        start, end = least, most
        if match and match["start"]:
            start = _number(match["start"], least, names)
            end = _number(match["end"], least, names) if match["end"] else start
            if match["step"] and not match["end"]:
                end = most
        step = int(match["step"] or 1) if match else 0
        if not (step and least <= start <= end <= most):
            also = f", or {names[0]} to {names[-1]}" if names else ""
            raise ValueError(
                f"has {part!r} for the {name}; give {least} to {most}{also}, a range such as "
                f"{least}-{most}, a list with commas, or * with or without a step such as */2"
            )
        values.update(range(start, end + 1, step))
    return values


def _number(text: str, least: int, names: tuple[str, ...]) -> int:
    """A field's number, or -1, which no field may have."""
    if text in names:
        return names.index(text) + least
    return int(text) if text.isdecimal() else -1
