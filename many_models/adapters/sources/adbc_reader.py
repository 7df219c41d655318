"""Sources read through ADBC drivers: Arrow from the database to the lake, no Python object a row.

Here belongs what is particular to the SQLite, the PostgreSQL and other ADBC drivers. All of them
only read. What the values must be is decided in ``schema``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote as quote_path

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.sources.query import (
    PARAMETERS,
    Question,
    Window,
    bind_parameters,
    shortest_text,
)
from many_models.adapters.sources.reader import UnreachableError, quote
from many_models.adapters.sources.schema import check_columns

_ERRORS: tuple[type[Exception], ...] = (adbc_driver_manager.Error, OSError, pa.ArrowException)
_BUSY_MILLISECONDS = 30_000
# Dots separate a custom setting's name in PostgreSQL.
_SETTING = "many_models.{}"


class AdbcReader:
    """Any ADBC driver: module ``adbc_driver_<driver>``, parameters bound as question marks."""

    errors = _ERRORS

    def __init__(self, driver: str, uri: str) -> None:
        self.driver, self.uri = driver, uri

    @property
    def dialect(self) -> str:
        return self.driver

    def quote(self, name: str) -> str:
        return quote(name)

    def check(self) -> None:
        with self._cursor():
            pass

    def count(self, query: str, window: Window) -> int:
        with self._cursor() as cursor:
            self._run(cursor, "SELECT COUNT(*)", query, window)
            (rows,) = cursor.fetchone()
            return int(rows)

    def answer(self, question: Question) -> pa.Table:
        with self._cursor() as cursor:
            order: list[str] = []
            text = question.bind(lambda name: _note(order, name))
            cursor.execute(text, _timestamps([question.moments[name] for name in order]))
            return cursor.fetch_arrow_table()

    def batches(
        self, query: str, window: Window, schema: pa.Schema, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        with self._cursor() as cursor:
            self._run(cursor, "SELECT *", query, window, "LIMIT 0")
            found = cursor.fetch_record_batch().schema
            check_columns(found.names, schema, "the result of the source query")
            self._limit(cursor, batch_rows)
            self._run(cursor, self._selection(found, schema), query, window)
            for batch in cursor.fetch_record_batch():
                arranged = self._arrange(batch, schema)
                for offset in range(0, arranged.num_rows, batch_rows):
                    yield arranged.slice(offset, batch_rows)

    def _connect(self) -> Any:
        try:
            module = importlib.import_module(f"adbc_driver_{self.driver}.dbapi")
        except ModuleNotFoundError as error:
            raise UnreachableError(
                f"there is no Python package adbc_driver_{self.driver}; install the ADBC driver"
            ) from error
        return module.connect(self.uri)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            connection = self._connect()
        except _ERRORS as error:
            raise UnreachableError(str(error)) from error
        with closing(connection), closing(connection.cursor()) as cursor:
            if self.driver == "duckdb":
                cursor.execute("SET TimeZone = 'UTC'")  # or a bound is taken for local time
            yield cursor

    def _run(self, cursor: Any, select: str, query: str, window: Window, last: str = "") -> None:
        order: list[str] = []
        text = bind_parameters(query, lambda name: _note(order, name))
        values = dict(zip(PARAMETERS, (window.start, window.end), strict=True))
        moments = _timestamps([values[name] for name in order])
        cursor.execute(_around(select, text, last), moments)

    def _limit(self, cursor: Any, batch_rows: int) -> None:
        """Tell the driver how many rows a batch should have, where it can be told."""

    def _selection(self, found: pa.Schema, schema: pa.Schema) -> str:
        return f"SELECT {', '.join(map(quote, schema.names))}"

    def _arrange(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(batch.columns, names=schema.names)


def _note(order: list[str], name: str) -> str:
    """A question mark; the drivers bind these by their order."""
    order.append(name)
    return "?"


def _timestamps(moments: Sequence[datetime]) -> pa.RecordBatch:
    types = [(f"p{i}", pa.timestamp("us")) for i in range(len(moments))]
    row = {name: [moment] for (name, _), moment in zip(types, moments, strict=True)}
    return pa.record_batch(row, schema=pa.schema(types))


def _around(select: str, query: str, last: str) -> str:
    # The line break ends a comment that the query may end with.
    return f"{select} FROM ({query}\n) source_rows {last}"


class PostgresReader(AdbcReader):
    """PostgreSQL in a read-only transaction whose time zone is UTC.

    The driver streams (by COPY) only statements without parameters and holds the whole result of
    others in memory. The two bounds are therefore bound to settings of the transaction, and the
    query reads these.
    """

    def __init__(self, uri: str) -> None:
        super().__init__("postgresql", uri)

    def _connect(self) -> Any:
        return adbc_driver_postgresql.dbapi.connect(self.uri)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with super()._cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SET LOCAL TIME ZONE 'UTC'")
            yield cursor

    def _run(self, cursor: Any, select: str, query: str, window: Window, last: str = "") -> None:
        self._set(cursor, dict(zip(PARAMETERS, (window.start, window.end), strict=True)))
        cursor.execute(_around(select, bind_parameters(query, _as_setting), last))

    def answer(self, question: Question) -> pa.Table:
        with self._cursor() as cursor:
            self._set(cursor, question.moments)
            cursor.execute(question.bind(_as_setting))
            return cursor.fetch_arrow_table()

    def _set(self, cursor: Any, moments: Mapping[str, datetime]) -> None:
        for name, value in moments.items():
            cursor.execute(
                "SELECT set_config($1, $2, true)", [_SETTING.format(name), value.isoformat(" ")]
            )
            cursor.fetchall()

    def _selection(self, found: pa.Schema, schema: pa.Schema) -> str:
        columns = ", ".join(_as_postgres(found.field(field.name), field) for field in schema)
        return f"SELECT {columns}"


def _as_setting(name: str) -> str:
    return f"current_setting('{_SETTING.format(name)}')::timestamp"


def _as_postgres(found: pa.Field[Any], declared: pa.Field[Any]) -> str:
    """A column as the driver gives it, or cast by the server where Arrow has no such type."""
    name, kind = quote(found.name), found.type
    numeric = isinstance(kind, pa.OpaqueType) and kind.type_name == "numeric"
    if pa.types.is_floating(declared.type):
        return f"CAST({name} AS double precision) AS {name}" if numeric else name
    if not pa.types.is_string(declared.type):
        return name
    if numeric:
        return f"CAST(trim_scale({name}) AS text) AS {name}"
    strange = isinstance(kind, pa.BaseExtensionType) or kind == pa.float32()
    return f"CAST({name} AS text) AS {name}" if strange else name


class SqliteReader(AdbcReader):
    """A SQLite file, opened read-only.

    SQLite has types for values, not for columns, while the driver takes a column's type from the
    first batch and fails at the first other value. The query is therefore wrapped so that keys and
    times are text, and a number comes as two columns: the number, and what it is when it is text.
    One row of known types goes first, since a batch of NULLs would have no type.
    """

    def __init__(self, path: Path) -> None:
        super().__init__("sqlite", f"file:{quote_path(str(path))}?mode=ro")
        self.path = path

    def _connect(self) -> Any:
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {self.path}")
        return adbc_driver_sqlite.dbapi.connect(self.uri)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with super()._cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
            cursor.fetchall()
            cursor.execute("SELECT COUNT(*) FROM sqlite_master")
            cursor.fetchall()
            yield cursor

    def _run(self, cursor: Any, select: str, query: str, window: Window, last: str = "") -> None:
        numbers = {name: f"?{i}" for i, name in enumerate(PARAMETERS, start=1)}
        text = bind_parameters(query, numbers.__getitem__)
        cursor.execute(_around(select, text, last), list(window.texts()))

    def answer(self, question: Question) -> pa.Table:
        with self._cursor() as cursor:
            numbers = {name: f"?{i}" for i, name in enumerate(question.moments, start=1)}
            texts = [shortest_text(moment) for moment in question.moments.values()]
            cursor.execute(question.bind(numbers.__getitem__), texts)
            return cursor.fetch_arrow_table()

    def _limit(self, cursor: Any, batch_rows: int) -> None:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": batch_rows})

    def _selection(self, found: pa.Schema, schema: pa.Schema) -> str:
        first: list[str] = []
        columns: list[str] = []
        for field in schema:
            name = quote(field.name)
            if pa.types.is_floating(field.type):
                first += ["0.5", "''"]
                columns += [_NUMBER.format(name), _NOT_A_NUMBER.format(name)]
            else:
                first.append("''")
                columns.append((_KEY if pa.types.is_string(field.type) else _TEXT).format(name))
        row = ", ".join(f"{value} AS c{i}" for i, value in enumerate(first))
        return f"SELECT {row} UNION ALL SELECT {', '.join(columns)}"

    def batches(
        self, query: str, window: Window, schema: pa.Schema, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        stream = super().batches(query, window, schema, batch_rows)
        for number, batch in enumerate(stream):
            rows = batch.slice(1) if number == 0 else batch
            if rows.num_rows:
                yield rows

    def _arrange(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        columns = iter(batch.columns)
        arrays = []
        for field in schema:
            array = next(columns)
            if pa.types.is_floating(field.type):
                text = next(columns)
                if text.null_count < len(text):
                    array = pc.coalesce(text, array.cast(pa.string()))
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, names=schema.names)


_TEXT = "CAST({0} AS TEXT)"
_NUMBER = "CASE WHEN typeof({0}) IN ('integer', 'real') THEN CAST({0} AS REAL) END"
_NOT_A_NUMBER = "CASE WHEN typeof({0}) IN ('text', 'blob') THEN CAST({0} AS TEXT) END"
# A whole real loses its '.0'; other reals keep all their digits, which CAST alone would not.
_KEY = (
    "CASE WHEN typeof({0}) <> 'real' THEN CAST({0} AS TEXT) "
    "WHEN {0} = CAST({0} AS INTEGER) THEN CAST(CAST({0} AS INTEGER) AS TEXT) "
    "WHEN CAST(CAST({0} AS TEXT) AS REAL) = {0} THEN CAST({0} AS TEXT) "
    "ELSE printf('%!.17g', {0}) END"
)
