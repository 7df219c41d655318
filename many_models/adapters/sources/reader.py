"""The port to a source database: what every way to read one offers.

Here belongs what the readers share. Each technology has its own module: ``adbc_reader`` and
``sqlalchemy_reader``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from many_models.adapters.sources.query import Question, Window


class UnreachableError(Exception):
    """No connection could be made; the text is the driver's reason."""


class SourceReader(Protocol):
    """Runs the user's query for one window. Raises what is in ``errors``, or ``UnreachableError``.

    ``columns_of`` gives the columns of a table for error texts, and nothing where it cannot.
    """

    errors: tuple[type[Exception], ...]

    @property
    def dialect(self) -> str:
        """Name of the database's SQL."""

    def check(self) -> None:
        """Connect, ask for nothing, close."""

    def count(self, query: str, window: Window) -> int:
        """The number of rows the query gives in the window."""

    def answer(self, question: Question) -> pa.Table:
        """All rows of a question that has few, in whatever types the source has."""

    def quote(self, name: str) -> str:
        """An identifier as this database quotes it."""

    def batches(
        self, query: str, window: Window, schema: pa.Schema, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """The columns of ``schema``, by name, in whatever types the source has.

        Raises:
            SourceError: the query lacks a column of the schema.
        """


def quote(name: str) -> str:
    """An identifier as standard SQL, SQLite and PostgreSQL quote it."""
    return '"' + name.replace('"', '""') + '"'
