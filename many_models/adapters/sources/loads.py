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
from many_models.core.new_data import DayLoads, Loads


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
    it gives, the times are compared as such.
    """
    lite = reader.dialect == "sqlite"
    # With the table's name, as SQLite takes an unknown name in quotes for a text.
    happened, raw = (f"source_rows.{reader.quote(n)}" for n in (columns.time, columns.loaded_at))
    loaded = f"strftime('%Y-%m-%d %H:%M:%f', {raw})" if lite else raw
    day = f"DATE({happened})" if lite else f"CAST({happened} AS DATE)"
    moments = {"kept_from": bounds.kept_from}
    last = ""
    if lite or window:
        last = f"WHERE {raw} IS NOT NULL AND ({loaded} >= :loaded_since OR {loaded} IS NULL)"
        moments["loaded_since"] = bounds.since
    if window is not None:
        moments |= dict(zip(PARAMETERS, (window.start, window.end), strict=True))
    else:
        before = datetime.combine(bounds.since.date() - timedelta(days=1), time())
        moments["since"] = before if lite else bounds.since
    select = (
        f"{day}, COUNT(*), SUM(CASE WHEN {loaded} >= :kept_from THEN 1 ELSE 0 END), "
        f"MAX({loaded}), MIN({happened}), MAX({happened}), "
        f"SUM(CASE WHEN {loaded} IS NULL AND {raw} IS NOT NULL THEN 1 ELSE 0 END)"
    )
    return _read(reader.answer(Question(select, query, f"{last} GROUP BY {day}", moments)), columns)


def _read(answer: pa.Table, columns: LoadColumns) -> Loads:
    days, rows, kept, loaded, first, last, unreadable = (
        column.combine_chunks() for column in answer.columns
    )
    if any(count for count in unreadable.to_pylist()):
        raise SourceError(
            f"source.loaded_at: {sum(unreadable.to_pylist())} rows have a {columns.loaded_at} that "
            "is no time; it must be a timestamp, or ISO text such as 2017-01-31 12:00:00"
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
