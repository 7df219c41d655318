"""Sources read through SQLAlchemy: every database that has neither ADBC driver nor Arrow.

Here belongs streaming rows from a server-side cursor into batches. What the values must be is
decided in ``schema``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from many_models.adapters.sources.query import (
    PARAMETERS,
    Question,
    Window,
    bind_parameters,
    shortest_text,
)
from many_models.adapters.sources.reader import UnreachableError
from many_models.adapters.sources.schema import check_columns


def connect_engine(url: sa.URL) -> sa.Engine:
    """An engine that keeps no connection.

    Raises:
        UnreachableError: the database's driver is not installed.
    """
    if url.drivername == "postgresql" and find_spec("psycopg") is None and find_spec("psycopg2"):
        # SQLAlchemy's own choice is psycopg, whether or not it is installed.
        url = url.set(drivername="postgresql+psycopg2")
    try:
        return sa.create_engine(url, poolclass=NullPool)
    except (ModuleNotFoundError, SQLAlchemyError) as error:
        raise UnreachableError(
            f"{error}; install the Python driver that SQLAlchemy names for {url.drivername}"
        ) from error


@contextmanager
def connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection with UTC as its zone where the database has zones."""
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise UnreachableError(str(getattr(error, "orig", None) or error)) from error
    with connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SET TIME ZONE 'UTC'"))
        yield connection


class SqlAlchemyReader:
    """Any database SQLAlchemy has a dialect for; nothing is committed."""

    errors: tuple[type[Exception], ...] = (SQLAlchemyError,)

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    def quote(self, name: str) -> str:
        return self.engine.dialect.identifier_preparer.quote_identifier(name)

    def answer(self, question: Question) -> pa.Table:
        with connected(self.engine) as connection:
            text = question.bind(lambda name: f":{name}", _escape)
            result = connection.execute(self._bound(text, question.moments))
            names, rows = list(result.keys()), result.all()
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        return pa.table([_array(values) for values in columns], names=names)

    def check(self) -> None:
        with connected(self.engine):
            pass

    def count(self, query: str, window: Window) -> int:
        with connected(self.engine) as connection:
            statement = self._statement(query, window, "SELECT COUNT(*) FROM (", "\n) source_rows")
            return int(connection.execute(statement).scalar_one())

    def batches(
        self, query: str, window: Window, schema: pa.Schema, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        with connected(self.engine) as connection:
            streaming = connection.execution_options(stream_results=True, max_row_buffer=batch_rows)
            result = streaming.execute(self._statement(query, window))
            found = list(result.keys())
            check_columns(found, schema, "the result of the source query")
            positions = [found.index(name) for name in schema.names]
            for rows in result.partitions(batch_rows):
                columns = list(zip(*rows, strict=True))
                arrays = [_array(columns[position]) for position in positions]
                yield pa.RecordBatch.from_arrays(arrays, names=schema.names)

    def _statement(
        self, query: str, window: Window, before: str = "", after: str = ""
    ) -> sa.TextClause:
        text = bind_parameters(query, lambda name: f":{name}", escape=_escape)
        moments = dict(zip(PARAMETERS, (window.start, window.end), strict=True))
        return self._bound(before + text + after, moments)

    def _bound(self, text: str, moments: Mapping[str, datetime]) -> sa.TextClause:
        values: Mapping[str, object] = moments
        kind: sa.types.TypeEngine[Any] = sa.DateTime()
        if self.dialect == "sqlite":
            values = {name: shortest_text(moment) for name, moment in moments.items()}
            kind = sa.String()
        return sa.text(text).bindparams(
            *(sa.bindparam(name, value, type_=kind) for name, value in values.items())
        )


def _escape(piece: str) -> str:
    """Text in which ``sa.text`` reads no :name as a parameter, as it does in literals too."""
    return piece.replace(":", "\\:")


def _array(values: Sequence[object]) -> pa.Array[Any]:
    """Values of one type as they are; of several (SQLite has types for values only) as text."""
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 or kinds == {int, float}:
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError):
            pass
    return pa.array([_text(value) for value in values], type=pa.string())


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)
