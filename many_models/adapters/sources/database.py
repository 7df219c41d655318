"""A company's database as a source: one time window of one query, as Arrow batches.

Here belong the choice of the reader and the words for what goes wrong. How a technology is read is
in ``adbc_reader`` and ``sqlalchemy_reader``, what values must be in ``schema``, and a look
at the tables in ``tables``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from many_models.adapters.sources import tables as source_tables
from many_models.adapters.sources.adbc_reader import AdbcReader, PostgresReader, SqliteReader
from many_models.adapters.sources.loads import LoadBounds, LoadColumns, read_loads, read_newest
from many_models.adapters.sources.query import Window
from many_models.adapters.sources.reader import SourceReader, UnreachableError
from many_models.adapters.sources.schema import cast_batch, unknown_column
from many_models.adapters.sources.sqlalchemy_reader import SqlAlchemyReader, connect_engine
from many_models.core.errors import SourceError
from many_models.core.new_data import Loads

_ADBC_URL = re.compile(r"adbc\+(?P<driver>[a-z_]+):(?P<uri>.*)", re.DOTALL)
_NO_COLUMN = re.compile(
    r"no such column: (?:\w+\.)?(\w+)|column \"?(?:\w+\.)?(\w+)\"? does not exist"
)


@dataclass(frozen=True, repr=False)
class SourceDatabase:
    """A database to read from, by its URL.

    ``sqlite:///path`` and ``postgresql://user:password@host/database`` are read through ADBC; any
    other SQLAlchemy URL, or these with ``engine="sqlalchemy"``, through SQLAlchemy. Any other ADBC
    driver is ``adbc+<driver>:<its connection string>``, such as ``adbc+duckdb:/data/shop.duckdb``.

    A query uses ``:window_start`` and ``:window_end``, the half-open window. They are bound as
    timestamps; for SQLite, which keeps times as text, as ISO text that is right for dates and for
    times alike (epoch seconds need ``datetime(sold_at, 'unixepoch')`` in the query).
    """

    url: str
    engine: Literal["auto", "sqlalchemy"] = "auto"

    def __repr__(self) -> str:
        return f"SourceDatabase({self.shown_url!r})"

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        if match := _ADBC_URL.fullmatch(self.url):
            return f"adbc+{match['driver']}:***"
        try:
            url = sa.make_url(self.url)
        except ArgumentError:
            return "***"
        secret = {key: "***" for key in url.query if "pass" in key.lower()}
        return url.update_query_dict(secret).render_as_string(hide_password=True)

    def stream(
        self,
        query: str,
        *,
        start: datetime,
        end: datetime,
        schema: pa.Schema,
        batch_rows: int = 100_000,
    ) -> pa.RecordBatchReader:
        """The rows of the window, cast to ``schema``, at most ``batch_rows`` at a time.

        The first batch is read before this returns, so that what is wrong with the connection, the
        query or its columns shows at once.

        Raises:
            SourceError: here or while the stream is read; see ``schema.cast_batch``.
        """
        batches = self._batches(query, Window(start, end), schema, batch_rows)
        first = next(batches, None)
        return pa.RecordBatchReader.from_batches(schema, chain([first] if first else [], batches))

    def count(self, query: str, *, start: datetime, end: datetime) -> int:
        """The number of rows the query gives in the window, counted by the database."""
        window = Window(start, end)
        with self._explained(query, window) as reader:
            return reader.count(query, window)

    def check(self) -> None:
        """Raises SourceError unless a connection can be made."""
        with self._explained() as reader:
            reader.check()

    def tables(self) -> tuple[str, ...]:
        """The names of the tables and views, sorted."""
        with self._engine() as engine:
            return source_tables.tables(engine)

    def describe(self, table: str) -> source_tables.TableSummary:
        """Columns, types, cardinalities and ranges of a table: one scan for each column."""
        with self._engine() as engine:
            self._check_table(engine, table)
            return source_tables.describe(engine, table)

    def window_query(self, table: str, time_column: str, columns: Sequence[str]) -> str:
        """The query for one window of a table, quoted as the database wants it.

        Raises:
            SourceError: there is no such table or column; names the most similar one.
        """
        with self._engine() as engine:
            self._check_columns(engine, table, (time_column, *columns))
            return source_tables.window_query(engine, table, time_column, columns)

    def loaded_query(self, table: str, time_column: str, loaded_at: str) -> str:
        """The query for the rows of a table that were loaded ``:since``; errors as above."""
        with self._engine() as engine:
            self._check_columns(engine, table, (time_column, loaded_at))
            if kind := source_tables.not_a_time(engine, table, loaded_at):
                raise SourceError(
                    f"column {loaded_at!r} of table {table!r} is {kind}; it must be a timestamp, "
                    "or ISO text such as 2017-01-31 12:00:00"
                )
            return source_tables.loaded_query(engine, table, time_column, loaded_at)

    def loads(
        self, query: str, columns: LoadColumns, bounds: LoadBounds, window: Window | None = None
    ) -> Loads:
        """Days of the rows that ``query`` gives and that were loaded since, counted there.

        ``query`` uses ``:since``, or the window, which then spans all of the source's time.

        Raises:
            SourceError: the database is away or refuses, or a value is no time.
        """
        with self._explained(query) as reader:
            return read_loads(reader, query, columns, bounds, window)

    def newest_load(
        self, query: str, columns: LoadColumns, window: Window | None = None
    ) -> datetime | None:
        """The latest load of all the rows that the query of ``loads`` can give."""
        with self._explained(query) as reader:
            return read_newest(reader, query, columns, window)

    def _batches(
        self, query: str, window: Window, schema: pa.Schema, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        with self._explained(query, window) as reader:
            for batch in reader.batches(query, window, schema, batch_rows):
                yield cast_batch(batch, schema, window)

    def _reader(self) -> SourceReader:
        if match := _ADBC_URL.fullmatch(self.url):
            return AdbcReader(match["driver"], match["uri"])
        url = self._parsed()
        if self.engine == "auto":
            if url.get_backend_name() == "postgresql":
                plain = url.set(drivername="postgresql")
                return PostgresReader(plain.render_as_string(hide_password=False))
            if url.get_backend_name() == "sqlite" and not url.query:
                return SqliteReader(Path(url.database or ""))
        return SqlAlchemyReader(connect_engine(url))

    def _parsed(self) -> sa.URL:
        try:
            url = sa.make_url(re.sub(r"^postgres://", "postgresql://", self.url))
        except ArgumentError as error:
            raise UnreachableError(
                "this is not a database URL, such as sqlite:///shop.db or postgresql://user@host/db"
            ) from error
        if url.get_backend_name() == "sqlite" and not url.query:
            path = Path(url.database or "")
            if not path.is_file():
                raise UnreachableError(f"there is no file {path}")
        return url

    @contextmanager
    def _engine(self) -> Iterator[sa.Engine]:
        if _ADBC_URL.fullmatch(self.url):
            raise SourceError(
                f"the tables of {self.shown_url} cannot be listed; state the columns and the query "
                "in the use case file"
            )
        with self._explained():
            yield connect_engine(self._parsed())

    def _check_columns(self, engine: sa.Engine, table: str, names: Sequence[str]) -> None:
        self._check_table(engine, table)
        found = source_tables.columns(engine, table)
        for name in names:
            if name not in found:
                raise SourceError(unknown_column(name, found, f"table {table!r}"))

    def _check_table(self, engine: sa.Engine, table: str) -> None:
        if not source_tables.exists(engine, table):
            raise SourceError(source_tables.unknown_table(engine, table, self.shown_url))

    @contextmanager
    def _explained(self, query: str = "", window: Window | None = None) -> Iterator[SourceReader]:
        """A reader whose errors become SourceErrors that name the database and the window."""
        errors: tuple[type[Exception], ...] = (*AdbcReader.errors, *SqlAlchemyReader.errors)
        try:
            yield self._reader()
        except UnreachableError as error:
            raise SourceError(
                f"cannot reach the source database {self.shown_url}: {self._reason(error)}. "
                "Check its address, its name, the user and the password"
            ) from error
        except errors as error:
            where = f" in the window {window}" if window else ""
            raise SourceError(
                f"the source database {self.shown_url} refused the query{where}: "
                f"{self._reason(error)}{self._similar_column(error, query)}"
            ) from error

    def _reason(self, error: Exception) -> str:
        """The driver's words, without the query it repeats and without a password."""
        text = str(getattr(error, "orig", None) or error)
        text = re.split(r"\n\s*(?:query:|Query was:)", text, maxsplit=1, flags=re.IGNORECASE)[0]
        password = re.match(r"[^:]+://[^:/@]*:(?P<password>[^@]+)@", self.url)
        if password:
            text = text.replace(password["password"], "***")
        return text.strip().rstrip(".")

    def _similar_column(self, error: Exception, query: str) -> str:
        """The columns of the tables in a query in which one column does not exist."""
        match = _NO_COLUMN.search(str(error))
        if not match or _ADBC_URL.fullmatch(self.url):
            return ""
        words = set(re.findall(r"\w+", query))
        try:
            engine = connect_engine(self._parsed())
            named = [table for table in source_tables.tables(engine) if table in words]
            found = [column for table in named for column in source_tables.columns(engine, table)]
        except (UnreachableError, SQLAlchemyError):
            # A hint that cannot be given must not hide what is wrong.
            return ""
        name = match[1] or match[2]
        source = f". Its source ({', '.join(named)})"
        return unknown_column(name, found, source) if found else ""
