"""Which days' rows were loaded since a moment: counted by the database, in any dialect.

Here belongs the SQL around the query that selects such rows, and reading its answer. What follows
from it is the business of ``core.new_data``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import pyarrow as pa

from many_models.adapters.sources.query import PARAMETERS, Question, Window
from many_models.adapters.sources.reader import SourceReader
from many_models.adapters.sources.schema import as_times
from many_models.core.errors import SourceError
from many_models.core.new_data import BEGINNING, DayLoads, Loads

_LITE_TIME = "strftime('%Y-%m-%d %H:%M:%f', {0})"


@dataclass(frozen=True, slots=True)
class LoadColumns:
    """Columns of the query: when a row happened, and when it was loaded."""

    time: str
    loaded_at: str


@dataclass(frozen=True, slots=True)
class LoadBounds:
    """Rows loaded ``since`` count; those loaded since ``kept_from`` are also counted apart."""

    since: datetime
    kept_from: datetime


def read_loads(
    reader: SourceReader,
    query: str,
    columns: LoadColumns,
    bounds: LoadBounds,
    window: Window | None,
) -> Loads:
    """The answer by day; rows without a time, or without a load time, are in none.

    SQLite keeps times as text, in which zones and the letter T do not sort as times do. There the
    query selects from the day before, by the column as it is, so that an index serves; and of what
    it gives, the times are compared as such. That costs about a microsecond a row, so of a look at
    everything, the latest load of a day is the last text.
    """
    lite, everything = reader.dialect == "sqlite", bounds.since == BEGINNING
    # With the table's name, as SQLite takes an unknown name in quotes for a text.
    happened, raw = (f"source_rows.{reader.quote(n)}" for n in (columns.time, columns.loaded_at))
    loaded = _LITE_TIME.format(raw) if lite else raw
    day = f"SUBSTR({happened}, 1, 10)" if lite else f"CAST({happened} AS DATE)"
    moments = {"kept_from": bounds.kept_from}
    kept, newest, last = f"{loaded} >= :kept_from", f"MAX({loaded})", ""
    if lite:
        kept = f"{raw} >= :kept_day AND {kept}"
        moments["kept_day"] = _day_before(bounds.kept_from)
        newest = _LITE_TIME.format(f"MAX({raw})") if everything else newest
    if lite and everything:
        last = f"WHERE {raw} IS NOT NULL"
    elif lite or window:
        last = f"WHERE {raw} IS NOT NULL AND ({loaded} >= :loaded_since OR {loaded} IS NULL)"
        moments["loaded_since"] = bounds.since
    moments |= _bounds_of(query, bounds.since, window, lite=lite)
    select = (
        f"{day}, COUNT(*), SUM(CASE WHEN {kept} THEN 1 ELSE 0 END), {newest}, "
        f"MIN({happened}), MAX({happened}), MAX({raw})"
    )
    return _read(reader.answer(Question(select, query, f"{last} GROUP BY {day}", moments)), columns)


def read_newest(
    reader: SourceReader, query: str, columns: LoadColumns, window: Window | None
) -> datetime | None:
    """The latest load of all; None where there is none."""
    lite, raw = reader.dialect == "sqlite", f"source_rows.{reader.quote(columns.loaded_at)}"
    newest = _LITE_TIME.format(f"MAX({raw})") if lite else f"MAX({raw})"
    moments = _bounds_of(query, BEGINNING, window, lite=lite)
    found = reader.answer(Question(newest, query, f"WHERE {raw} IS NOT NULL", moments))
    moments_found: Sequence[datetime | None]
    moments_found = _times(found.column(0).combine_chunks(), columns.loaded_at)
    return moments_found[0]


def _bounds_of(
    query: str, since: datetime, window: Window | None, *, lite: bool
) -> dict[str, datetime]:
    """What the parameters of the query itself stand for."""
    if window is not None:
        return dict(zip(PARAMETERS, (window.start, window.end), strict=True))
    return {"since": _day_before(since) if lite else since}


def _day_before(moment: datetime) -> datetime:
    """A day before midnight, of which any text is lower than that of any zone's same moment."""
    return datetime.combine(moment.date() - timedelta(days=1), time())


def _read(answer: pa.Table, columns: LoadColumns) -> Loads:
    days, rows, kept, loaded, first, last, raw = (
        column.combine_chunks() for column in answer.columns
    )
    for value, moment in zip(raw.to_pylist(), loaded.to_pylist(), strict=True):
        if value is not None and (moment is None or str(value)[:1].isalpha()):
            raise SourceError(
                f"source.loaded_at: {columns.loaded_at} is {value!r}, which is no time; it must be "
                "a timestamp, or ISO text such as 2017-01-31 12:00:00"
            )
    times = [_times(array, columns.time) for array in (days, first, last)]
    loads = _times(loaded, columns.loaded_at)
    found: dict[object, DayLoads] = {}
    for day, count, lasting, newest, start, end in zip(
        times[0], rows.to_pylist(), kept.to_pylist(), loads, *times[1:], strict=True
    ):
        if None not in (day, newest, start, end):
            load = DayLoads(day.date(), int(count), int(lasting), newest, start, end)
            found[load.day] = _join(found[load.day], load) if load.day in found else load
    zoned = pa.types.is_timestamp(loaded.type) and loaded.type.tz is not None
    return Loads(tuple(sorted(found.values(), key=lambda load: load.day)), zoned)


def _times(array: pa.Array[Any], column: str) -> Sequence[Any]:
    times: list[Any] = as_times(array, column).to_pylist()
    return times


def _join(one: DayLoads, other: DayLoads) -> DayLoads:
    """Two parts of a day: some databases' dates have a time."""
    return DayLoads(
        one.day,
        one.rows + other.rows,
        one.kept + other.kept,
        max(one.loaded, other.loaded),
        min(one.first, other.first),
        max(one.last, other.last),
    )
