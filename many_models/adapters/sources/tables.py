"""What is in a source database: its tables, their columns, how many values they have.

Here belongs what ``many-models new`` needs to propose a use case. Reading rows for the lake does
not.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from many_models.adapters.sources.sqlalchemy_reader import connected

logger = logging.getLogger(__name__)

DISTINCT_LIMIT = 10_000
_NO_TIMES = (
    sa.Numeric,
    sa.Float,
    sa.Integer,
    sa.Boolean,
    sa.LargeBinary,
    sa.JSON,
    sa.Uuid,
    sa.Time,
)
_WITHOUT_ORDER = (sa.Boolean, sa.JSON, sa.LargeBinary, sa.Uuid, sa.ARRAY)


@dataclass(frozen=True)
class ColumnSummary:
    """One column. ``distinct`` is exact up to ``DISTINCT_LIMIT``, and one more beyond it.

    ``minimum`` and ``maximum`` are text, None where the column has no value or no order.
    """

    name: str
    sql_type: str
    nulls: int
    distinct: int
    minimum: str | None
    maximum: str | None

    @property
    def many(self) -> bool:
        """More distinct values than were counted."""
        return self.distinct > DISTINCT_LIMIT


@dataclass(frozen=True)
class TableSummary:
    """One table or view with the number of its rows."""

    name: str
    rows: int
    columns: tuple[ColumnSummary, ...]


def tables(engine: sa.Engine) -> tuple[str, ...]:
    """The tables and views of the default schema, sorted."""
    with connected(engine) as connection:
        inspector = sa.inspect(connection)
        return tuple(sorted({*inspector.get_table_names(), *inspector.get_view_names()}))


def exists(engine: sa.Engine, table: str) -> bool:
    schema, name = _split(engine, table)
    with connected(engine) as connection:
        inspector = sa.inspect(connection)
        names = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)}
        return name in names


def unknown_table(engine: sa.Engine, table: str, url: str) -> str:
    """The text for a table that is not there: those that are, and the most similar one."""
    found = tables(engine)
    close = difflib.get_close_matches(table, found, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(map(repr, found)) or "no tables"
    return f"{url} has no table {table!r}; it has {listed}.{hint}"


def columns(engine: sa.Engine, table: str) -> tuple[str, ...]:
    schema, name = _split(engine, table)
    with connected(engine) as connection:
        return tuple(column["name"] for column in sa.inspect(connection).get_columns(name, schema))


def not_a_time(engine: sa.Engine, table: str, column: str) -> str:
    """The type of a column that can hold neither times nor their text; nothing for others."""
    schema, name = _split(engine, table)
    with connected(engine) as connection:
        found = sa.inspect(connection).get_columns(name, schema)
    kind = next(item["type"] for item in found if item["name"] == column)
    return str(kind) if isinstance(kind, _NO_TIMES) else ""


def window_query(engine: sa.Engine, table: str, time_column: str, columns: Sequence[str]) -> str:
    """A SELECT of the time column and ``columns`` for one window, in the database's quotes."""
    time = engine.dialect.identifier_preparer.quote_identifier(time_column)
    select = _select(engine, table, (time_column, *columns))
    return f"{select}\nWHERE {time} >= :window_start AND {time} < :window_end"


def loaded_query(engine: sa.Engine, table: str, time_column: str, loaded_at: str) -> str:
    """A SELECT of time and load time of the rows loaded ``:since``, in the database's quotes."""
    loaded = engine.dialect.identifier_preparer.quote_identifier(loaded_at)
    return f"{_select(engine, table, (time_column, loaded_at))}\nWHERE {loaded} >= :since"


def _select(engine: sa.Engine, table: str, columns: Sequence[str]) -> str:
    quote = engine.dialect.identifier_preparer.quote_identifier
    schema, name = _split(engine, table)
    origin = ".".join(quote(part) for part in (schema, name) if part)
    return f"SELECT {', '.join(map(quote, dict.fromkeys(columns)))}\nFROM {origin}"


def describe(engine: sa.Engine, table: str) -> TableSummary:
    """The table's rows and columns, by one query for the rows and two for each column."""
    schema, name = _split(engine, table)
    with connected(engine) as connection:
        reflected = sa.inspect(connection).get_columns(name, schema)
        # Columns without a type, so that values come as the driver gives them; quoted, as
        # SQLAlchemy does not know every word that a database reserves.
        names = [sa.quoted_name(item["name"], quote=True) for item in reflected]
        columns: list[sa.ColumnClause[Any]] = [sa.column(quoted) for quoted in names]
        source = sa.table(name, *columns, schema=schema)
        rows = connection.execute(sa.select(sa.func.count()).select_from(source)).scalar_one()
        summaries = []
        for number, item in enumerate(reflected, start=1):
            summaries.append(_summary(connection, source, item["name"], item["type"]))
            logger.info("%s: %d / %d columns looked at", table, number, len(reflected))
    return TableSummary(table, int(rows), tuple(summaries))


def _summary(
    connection: sa.Connection, source: sa.TableClause, name: str, kind: sa.types.TypeEngine[Any]
) -> ColumnSummary:
    column = source.c[name]
    ordered = not isinstance(kind, _WITHOUT_ORDER)
    ends = (sa.func.min(column), sa.func.max(column)) if ordered else (sa.null(), sa.null())
    nulls = sa.func.count() - sa.func.count(column)
    row = connection.execute(sa.select(nulls, *ends).select_from(source)).one()
    values = column if not isinstance(kind, sa.JSON) else sa.cast(column, sa.Text)
    some = sa.select(values).where(column.is_not(None)).distinct().limit(DISTINCT_LIMIT + 1)
    distinct = connection.execute(sa.select(sa.func.count()).select_from(some.subquery()))
    minimum, maximum = (None if value is None else str(value) for value in row[1:])
    return ColumnSummary(
        str(column.name), str(kind), int(row[0]), int(distinct.scalar_one()), minimum, maximum
    )


def _split(engine: sa.Engine, table: str) -> tuple[str | None, str]:
    """Schema and name: a table whose own name has a dot is taken as such where it exists."""
    if "." not in table or table in tables(engine):
        return None, table
    schema, name = table.split(".", 1)
    return schema, name
