"""The result store in a SQLite file.

Here: WAL mode and its locks, how values lie in the file, how results get their types back.
Not here: anything that PostgreSQL shares (`engine.py`).

How values lie in the file, for BI tools and people who read it: booleans are 0 and 1; a date is the
text "2017-12-31"; a timestamp is always date and time, "2017-12-31 00:00:00", with ".123456" where
it has a fraction; one with a time zone is in UTC, "2017-12-31 00:00:00+00:00". All sort as text.

Other programs may read and write the file at any time. This process must not open it with any other
SQLite library (`sqlite3`, SQLAlchemy, DuckDB): POSIX drops all locks of a process on a file once
any library in it closes that file, and then a writer in another process no longer waits (measured).
"""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import adbc_driver_manager
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager.dbapi import Connection, Cursor

from many_models.adapters.results.columns import COLUMN_TYPES
from many_models.adapters.results.engine import Engine, numbered, quote
from many_models.core.errors import StoreError
from many_models.core.result_tables.spec import Entry

_WAIT_SECONDS = 600
_SPECIMENS = {"bigint": "0", "boolean": "0", "double precision": "0.5"}
_TEXT = "''"
_AFFINITIES = {"int": "bigint", "real": "double precision"}


class SqliteEngine(Engine):
    """SQLite in WAL mode: readers see the last commit while one writer at a time works."""

    dialect = "sqlite"
    remedy = (
        "Check that the file lies on a local disk with room, that you may write to it and to its "
        "folder, and that no other program keeps it locked."
    )

    def __init__(self, url: str, path: Path, *, read_only: bool = False) -> None:
        super().__init__(url)
        self._path = path
        self._read_only = read_only

    def connect(self) -> Connection:
        place = str(self._path)
        if self._read_only:
            if not self._path.exists():
                raise StoreError(f"there is no result store at {place}: run a use case first")
            place = f"file:{urllib.parse.quote(place)}?mode=ro"
        else:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = adbc_driver_sqlite.dbapi.connect(place, autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000}")
        return connection

    def begin(self, cursor: Cursor, tables: Sequence[str]) -> None:
        _use_wal(cursor)
        # A deferred transaction that reads before it writes fails at once when another has
        # written in between; IMMEDIATE waits for its turn.
        cursor.execute("BEGIN IMMEDIATE")

    def commit(self, connection: Connection, cursor: Cursor) -> None:
        cursor.execute("COMMIT")

    def columns(self, cursor: Cursor, table: str) -> dict[str, str]:
        cursor.execute("SELECT name, lower(type) FROM pragma_table_info(?1)", [table])
        return dict(cursor.fetchall())

    def tables(self, cursor: Cursor) -> list[str]:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [row[0] for row in cursor.fetchall()]

    def indexes(self, cursor: Cursor, table: str) -> list[str]:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?1", [table]
        )
        return [row[0] for row in cursor.fetchall()]

    def stored(self, array: pa.Array[Any]) -> pa.Array[Any]:
        if pa.types.is_date(array.type):
            return pc.cast(array, pa.string())
        if pa.types.is_timestamp(array.type):
            text = pc.cast(pc.cast(array, pa.timestamp("us")), pa.string())
            text = pc.replace_substring_regex(text, r"\.000000$", "")
            return pc.replace_substring_regex(text, "$", "+00:00") if array.type.tz else text
        return array

    def among(self, name: str, sql_type: str, position: int) -> str:
        # What stands in double quotes and is no column, SQLite takes for a text, and says nothing.
        column = "`" + name.replace("`", "``") + "`"
        return f"{column} IN (SELECT value FROM json_each(?{position}))"

    def bound(self, values: Sequence[pa.Array[Any]]) -> pa.RecordBatch:
        sets = [pa.array([json.dumps(self.stored(array).to_pylist())]) for array in values]
        return pa.record_batch(sets, names=[str(i) for i in range(len(sets))])

    def create_view(self, cursor: Cursor, name: str, select: str) -> None:
        cursor.execute(f"DROP VIEW IF EXISTS {quote(name)}")
        cursor.execute(f"CREATE VIEW {quote(name)} AS {select}")
        # SQLite looks for the view's tables and columns only now.
        cursor.execute(f"SELECT * FROM {quote(name)} LIMIT 0")
        cursor.fetchall()

    def comment(self, cursor: Cursor, entries: Sequence[Entry]) -> None:
        """Nothing: SQLite keeps no comments; the data dictionary has them."""

    def begin_reading(self, cursor: Cursor) -> None:
        cursor.execute("BEGIN")

    def read(self, cursor: Cursor, parts: Sequence[str], values: Sequence[object]) -> pa.Table:
        declared = self._declared_types(cursor, "NULL".join(parts))
        cursor.execute("PRAGMA query_only = 1")
        # The driver settles each column's type by its first batch and fails when a later one
        # differs (1,024 NULLs, then a number): read the result as a single batch. It reserves
        # memory for a whole batch, so the batch must be no larger than the result.
        statement, bound = numbered(parts, "?"), [_as_stored(value) for value in values]
        cursor.execute(f"SELECT COUNT(*) FROM ({statement}\n)", bound)
        rows = cursor.fetchall()[0][0]
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": max(rows, 1)})
        cursor.execute(statement, bound)
        table = cursor.fetch_arrow_table()
        cursor.execute("PRAGMA query_only = 0")
        for i, sql_type in enumerate(declared):
            table = table.set_column(
                i, table.column_names[i], _restored(table.column(i), COLUMN_TYPES.get(sql_type))
            )
        return table

    def stream(
        self,
        cursor: Cursor,
        parts: Sequence[str],
        values: Sequence[object],
        types: Mapping[str, str],
        rows_at_once: int,
    ) -> Iterator[pa.RecordBatch]:
        # A row before all others has a value of each column's type, by which the driver settles it.
        specimen = ", ".join(f"{_SPECIMENS.get(t, _TEXT)} AS {quote(n)}" for n, t in types.items())
        statement = f"SELECT {specimen} UNION ALL SELECT * FROM ({numbered(parts, '?')}\n)"
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": rows_at_once})
        cursor.execute(statement, [_as_stored(value) for value in values])
        skipped = 1
        for batch in cursor.fetch_record_batch():
            columns = zip(batch.slice(skipped).columns, types.values(), strict=True)
            restored = [_typed(column, COLUMN_TYPES[sql_type]) for column, sql_type in columns]
            skipped = 0
            yield pa.RecordBatch.from_arrays(restored, names=list(types))

    def _declared_types(self, cursor: Cursor, select: str) -> list[str]:
        """The SQL type of each result column as its table declares it, "" where none does."""
        try:
            cursor.execute(f"CREATE TEMP VIEW many_models_result AS {select}")
            cursor.execute("SELECT lower(type) FROM pragma_table_info('many_models_result')")
        except self.driver_errors:  # running the statement itself gives the better message
            return []
        declared = [row[0] for row in cursor.fetchall()]
        cursor.execute("DROP VIEW temp.many_models_result")
        return [_AFFINITIES.get(sql_type, sql_type) for sql_type in declared]


def _use_wal(cursor: Cursor) -> None:
    """Switch the file to WAL mode; for once SQLite does not wait for a lock, so this does."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except adbc_driver_manager.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _as_stored(value: object) -> object:
    """A parameter as the column of its type stores it."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date) else value


def _restored(column: pa.ChunkedArray[Any], arrow_type: pa.DataType | None) -> pa.ChunkedArray[Any]:
    """The column in its declared type; as stored where there is none or a value does not fit."""
    if arrow_type is None:
        return column
    if column.null_count == len(column):
        return pa.chunked_array([pa.array([None] * len(column), arrow_type)])
    try:
        return pc.cast(column, arrow_type)
    except pa.ArrowException:
        return column


def _typed(column: pa.Array[Any], arrow_type: pa.DataType) -> pa.Array[Any]:
    """The column in the type that its table declares; what does not fit fails the whole read."""
    return column if column.type == arrow_type else pc.cast(column, arrow_type)
