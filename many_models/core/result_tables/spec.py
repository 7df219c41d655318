"""What a table or a view of the result store is: columns, their SQL types and comments, its query.

Only the words live here; which tables there are is told by the other modules of this package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

SQL_TYPES: Mapping[str, pa.DataType] = {
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}
"""Types of columns, the same in SQLite and PostgreSQL, and what they are in Arrow."""

_NAMES = {arrow: name for name, arrow in SQL_TYPES.items()}

SLICE = "{slice}"
"""In a statement of a ``Derivation``: the condition that holds for the rows just written."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, with a comment in plain words that has its unit.

    ``expression`` is what a view's column shows, in SQL that both databases read; where it is
    empty, the column of this name.
    """

    name: str
    sql_type: str
    comment: str
    expression: str = ""


@dataclass(frozen=True, slots=True)
class Derivation:
    """How rows of a table follow from those of table ``source``, in the same transaction.

    ``statements`` run in their order after rows of ``source`` were replaced; ``{slice}`` in them
    stands for the condition by which these are found in it.
    """

    source: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: ``grain`` says what one row is, ``key`` which columns tell one from another.

    Tables that facts are joined to are ``unique``: the database holds them to their key.
    ``derivations`` fill it from other tables.
    """

    suffix: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    unique: bool = False
    derivations: tuple[Derivation, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Its columns in Arrow."""
        return pa.schema([(column.name, SQL_TYPES[column.sql_type]) for column in self.columns])


@dataclass(frozen=True, slots=True)
class View:
    """A view: its columns of ``source``, all that stands in a SELECT from FROM on.

    ``question`` is what people ask of it, and ``query`` that in SQL, with parameters such as
    ``:origin``, ``:partition`` and ``:group_key``: documentation, benchmark and tests use it.
    """

    suffix: str
    grain: str
    columns: tuple[Column, ...]
    source: str
    question: str
    query: str

    @property
    def select(self) -> str:
        shown = ", ".join(
            f'{c.expression} AS "{c.name}"' if c.expression else f'"{c.name}"' for c in self.columns
        )
        return f"SELECT {shown} {self.source}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the data dictionary: one column of one table or view."""

    table_name: str
    kind: Literal["table", "view"]
    grain: str
    column_name: str
    position: int
    sql_type: str
    comment: str


@dataclass(frozen=True)
class Declaration:
    """All tables and views of one use case; ``config`` is its YAML as JSON, without its secrets."""

    use_case: str
    problem: str
    config: str
    tables: tuple[Table, ...]
    views: tuple[View, ...]

    def name(self, suffix: str) -> str:
        """Name of a table or view in the database."""
        return f"{self.use_case}_{suffix}"

    def table(self, suffix: str) -> Table:
        """The table of this suffix."""
        return next(table for table in self.tables if table.suffix == suffix)

    def view(self, suffix: str) -> View:
        """The view of this suffix."""
        return next(view for view in self.views if view.suffix == suffix)

    def derived_from(self, suffix: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Tables that follow from the one of this suffix, with the statements that fill them."""
        return tuple(
            (table.suffix, derivation.statements)
            for table in self.tables
            for derivation in table.derivations
            if derivation.source == suffix
        )

    @cached_property
    def digest(self) -> str:
        """What tells this shape from any other; the config is no part of it."""
        content = repr((self.tables, self.views))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def dictionary(self) -> Iterator[Entry]:
        """The data dictionary: every column of every table and view."""
        described: tuple[Table | View, ...] = (*self.tables, *self.views)
        for one in described:
            kind: Literal["table", "view"] = "table" if isinstance(one, Table) else "view"
            name = self.name(one.suffix)
            for place, column in enumerate(one.columns, start=1):
                words = column.name, place, column.sql_type, column.comment
                yield Entry(name, kind, one.grain, *words)


def sql_type(arrow_type: pa.DataType) -> str:
    """Name of an Arrow type in SQL."""
    return _NAMES[arrow_type]


def names(columns: Sequence[Column]) -> str:
    """The columns as they stand in a statement."""
    return ", ".join(f'"{column.name}"' for column in columns)
