"""Exports: any slice of a table or view of the result store, as a stream of rows.

Here: which tables, columns and slices there are, and what is wrong with a wish. How rows become
files is ``adapters.results.row_files``'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from many_models.core.errors import UseCaseError
from many_models.core.result_tables.spec import Table, View
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results

ROWS_AT_ONCE = 20_000
TIMES = (
    *("time", "date", "origin", "trained_at", "promoted_at", "decided_at", "measured_at"),
    *("requested_at", "rolled_back_at", "started_at"),
)
"""Columns that ``first`` and ``last`` may be about: the first of these that a table has."""

_REST_OF_A_DAY = timedelta(days=1) - timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """A slice of a table or view: what is empty does not narrow it.

    ``first`` and ``last`` are times in ISO form, both included; a day means all of it. Times
    are those of the store; one with a zone is taken to UTC.
    """

    table: str
    partition: str = ""
    origin: str = ""
    key: str = ""
    first: str = ""
    last: str = ""


@contextmanager
def open_export(results: Results, wish: Wish) -> Iterator[pa.RecordBatchReader]:
    """The rows of a slice, as they are at this moment, read as they are asked for.

    Raises:
        UseCaseError: there is no such table, column, partition, origin or time.
    """
    found = find_exported(results, wish.table)
    parts, values = _conditions(found, wish)
    types = {column.name: column.sql_type for column in found.columns}
    shown = ", ".join(f'"{name}"' for name in types)
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    sql = f'SELECT {shown} FROM "{results.name(found.suffix)}"{where}'
    with (
        results.store.snapshot() as snapshot,
        snapshot.stream(sql, values, types, ROWS_AT_ONCE) as rows,
    ):
        yield _checked(results, found, wish, rows)


def exported(results: Results) -> tuple[Table | View, ...]:
    """Tables and views that can be exported, the views first."""
    return (*results.declaration.views, *results.declaration.tables)


def find_exported(results: Results, name: str) -> Table | View:
    """The table or view of a suffix, or of its full name.

    Raises:
        UseCaseError: there is none, with those that there are.
    """
    there = {one.suffix: one for one in exported(results)}
    suffix = name if name in there else name.removeprefix(f"{results.use_case.name}_")
    if suffix not in there:
        raise UseCaseError(
            f"{results.use_case.name} has no table or view {name!r}; there are: "
            f"{', '.join(sorted(there))}"
        )
    return there[suffix]


def time_column(found: Table | View) -> str | None:
    """The column that ``first`` and ``last`` are about."""
    names = {column.name for column in found.columns}
    return next((name for name in TIMES if name in names), None)


def file_name(use_case: AnyUseCase, wish: Wish, kind: str) -> str:
    """Name of a file with a slice, of letters that every system takes."""
    narrowed = (wish.partition, wish.origin, wish.key, wish.first, wish.last)
    parts = [use_case.name, wish.table.removeprefix(f"{use_case.name}_"), *filter(None, narrowed)]
    plain = "".join(
        c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in "-".join(parts)
    )
    return f"{plain[:120]}.{kind}"


def _conditions(found: Table | View, wish: Wish) -> tuple[list[str], dict[str, object]]:
    types = {column.name: column.sql_type for column in found.columns}
    parts, values = [], dict[str, object]()
    for flag, column, text in (
        ("partition", "partition", wish.partition),
        ("origin", "origin", wish.origin),
        ("key", "group_key", wish.key),
    ):
        if not text:
            continue
        _require(found, types, column, flag)
        parts.append(f'"{column}" = :{flag}')
        values[flag] = text if types[column] == "text" else _moment(flag, text, types[column])
    if wish.first or wish.last:
        column = time_column(found) or "time"
        _require(found, types, column, "from or to")
        if wish.first:
            parts.append(f'"{column}" >= :first')
            values["first"] = _moment("from", wish.first, types[column])
        if wish.last:
            parts.append(f'"{column}" <= :last')
            last = _moment("to", wish.last, types[column])
            values["last"] = last + _REST_OF_A_DAY if _is_day(wish.last) else last
    return parts, values


def _require(found: Table | View, types: dict[str, str], column: str, flag: str) -> None:
    if column not in types:
        raise UseCaseError(
            f"{found.suffix} has no column {column}, so {flag} cannot narrow it; it has: "
            f"{', '.join(types)}"
        )


def _moment(flag: str, text: str, sql_type: str) -> date | datetime:
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is not None:
            found = found.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise UseCaseError(
            f"{flag} {text!r} is no time: write 2017-12-31, or 2017-12-31T06:30"
        ) from error
    return found.date() if sql_type == "date" else found


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _checked(
    results: Results, found: Table | View, wish: Wish, rows: pa.RecordBatchReader
) -> pa.RecordBatchReader:
    """The same rows; where there is none, an error if it is for a value that nothing has."""
    first = next((batch for batch in rows if batch.num_rows), None)
    if first is None:
        _explain_nothing(results, found, wish)
        return pa.RecordBatchReader.from_batches(rows.schema, [])

    def batches() -> Iterator[pa.RecordBatch]:
        yield first
        yield from rows

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _explain_nothing(results: Results, found: Table | View, wish: Wish) -> None:
    name = results.name(found.suffix)
    for flag, column, text in (
        ("partition", "partition", wish.partition),
        ("origin", "origin", wish.origin),
    ):
        if not text:
            continue
        sql = f'SELECT DISTINCT "{column}" AS v FROM "{name}" ORDER BY 1 LIMIT 21'
        there = [str(value) for value in results.store.query(sql)["v"].to_pylist()]
        wanted = str(_moment(flag, text, "timestamp")) if flag == "origin" else text
        if len(there) <= 20 and there and wanted not in there:
            raise UseCaseError(
                f"{found.suffix} has no {flag} {text!r}; there are: {', '.join(there)}"
            )
        if len(there) > 20 and not _exists(results, name, column, text):
            raise UseCaseError(
                f"{found.suffix} has no {flag} {text!r}; the first of many are: "
                f"{', '.join(there[:20])}"
            )
    if wish.key and not _exists(results, name, "group_key", wish.key):
        raise UseCaseError(
            f"{found.suffix} has no group {wish.key!r}: write a key in full, such as "
            f"{','.join(f'{column}=...' for column in results.use_case.keys)}"
        )


def _exists(results: Results, name: str, column: str, text: str) -> bool:
    value = text if column != "origin" else _moment(column, text, "timestamp")
    sql = f'SELECT 1 AS there FROM "{name}" WHERE "{column}" = :value LIMIT 1'
    return bool(results.store.query(sql, {"value": value}).num_rows)
