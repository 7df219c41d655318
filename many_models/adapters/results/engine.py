"""What the result store asks of a database, whichever it is; the port that two engines implement.

Here: the operations in which SQLite and PostgreSQL differ, and
what they share: transactions, errors, quoting. Not here: SQL of one database only, and what the
store offers to its callers (`store.py`).

Measured with the ADBC drivers 1.13: `adbc_ingest` takes part in the transaction that is open, in
both drivers, also in one that SQLite began by `BEGIN IMMEDIATE` on an autocommit connection.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, ClassVar

import adbc_driver_manager
import pyarrow as pa
from adbc_driver_manager.dbapi import Connection, Cursor

from many_models.core.errors import StoreError
from many_models.core.result_tables.spec import Entry

_MAX_NAME_BYTES = 63  # PostgreSQL cuts longer names silently


def quote(name: str) -> str:
    """`name` as an SQL identifier; StoreError where one of the two databases could not keep it."""
    if not name or "\0" in name or len(name.encode()) > _MAX_NAME_BYTES:
        raise StoreError(
            f"{name!r} cannot name a table, view or column: use 1 to {_MAX_NAME_BYTES} bytes."
        )
    return '"' + name.replace('"', '""') + '"'


def hide_password(url: str) -> str:
    """`url` as it may be shown and logged."""
    return re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"(//[^:@/]*):[^@]*@", r"\1:***@", url))


def numbered(parts: Sequence[str], mark: str) -> str:
    """The statement with placeholders 1, 2, ... after `mark` between its parts."""
    rest = (f"{mark}{i}{part}" for i, part in enumerate(parts[1:], start=1))
    return parts[0] + "".join(rest)


class Engine(ABC):
    """One database. Every operation opens its own connection, so an engine is safe to share."""

    driver_errors: ClassVar[tuple[type[Exception], ...]] = (
        adbc_driver_manager.Error,
        pa.ArrowException,
        OSError,
    )
    remedy: ClassVar[str]
    dialect: ClassVar[str]

    def __init__(self, url: str) -> None:
        self.url = hide_password(url)

    @abstractmethod
    def connect(self) -> Connection:
        """A new connection; the caller closes it, which rolls back what was not committed."""

    @abstractmethod
    def begin(self, cursor: Cursor, tables: Sequence[str]) -> None:
        """Begin a transaction that holds every other writer of `tables` off until it ends."""

    @abstractmethod
    def commit(self, connection: Connection, cursor: Cursor) -> None:
        """Make the transaction's changes durable and visible."""

    @abstractmethod
    def columns(self, cursor: Cursor, table: str) -> dict[str, str]:
        """Name and SQL type of each column of a table or view; empty when there is none."""

    @abstractmethod
    def tables(self, cursor: Cursor) -> list[str]:
        """Names of all tables."""

    @abstractmethod
    def indexes(self, cursor: Cursor, table: str) -> list[str]:
        """Names of the indexes of a table."""

    @abstractmethod
    def stored(self, array: pa.Array[Any]) -> pa.Array[Any]:
        """An array of one of `COLUMN_TYPES` in the form in which the database holds it."""

    @abstractmethod
    def among(self, name: str, sql_type: str, position: int) -> str:
        """The condition that column `name` holds one of the values bound at `position`."""

    @abstractmethod
    def bound(self, values: Sequence[pa.Array[Any]]) -> pa.RecordBatch:
        """One row of parameters for `among`, a set of values each."""

    @abstractmethod
    def create_view(self, cursor: Cursor, name: str, select: str) -> None:
        """Create the view, or put it in the place of the one that has its name."""

    @abstractmethod
    def comment(self, cursor: Cursor, entries: Sequence[Entry]) -> None:
        """Say in the database what tables, views and columns mean, where it keeps comments."""

    @abstractmethod
    def begin_reading(self, cursor: Cursor) -> None:
        """Begin a transaction that only reads, and sees what its first query sees to its end."""

    @abstractmethod
    def read(self, cursor: Cursor, parts: Sequence[str], values: Sequence[object]) -> pa.Table:
        """Run a SELECT given in parts, with a value bound between each two; nothing is written."""

    @abstractmethod
    def stream(
        self,
        cursor: Cursor,
        parts: Sequence[str],
        values: Sequence[object],
        types: Mapping[str, str],
        rows_at_once: int,
    ) -> Iterator[pa.RecordBatch]:
        """As `read`, of a SELECT whose columns and SQL types are `types`, a batch at a time."""

    @contextmanager
    def errors(self, doing: str) -> Iterator[None]:
        """Turn whatever the driver raises into a StoreError that says what was being done."""
        try:
            yield
        except self.driver_errors as error:
            reason = " ".join(str(error).split("\nquery: ")[0].split()).rstrip(".")
            raise StoreError(f"{self.url}: {doing} failed: {reason}. {self.remedy}") from error

    @contextmanager
    def transaction(self, doing: str, *tables: str) -> Iterator[Cursor]:
        """A write transaction: committed at the end, rolled back by any error."""
        with (
            self.errors(doing),
            closing(self.connect()) as connection,
            connection.cursor() as cursor,
        ):
            self.begin(cursor, tables)
            yield cursor
            self.commit(connection, cursor)
