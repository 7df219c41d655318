"""Making what a use case declares: tables, missing columns, indexes, views and what they mean.

All in the caller's transaction. In PostgreSQL readers wait for whoever adds a column to their
table, drops an index of it or replaces their view, until the transaction ends: so that comes after
what takes long, but for filling tables that follow from others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor

from many_models.adapters.results.columns import fits
from many_models.adapters.results.engine import Engine, quote
from many_models.core.errors import StoreError
from many_models.core.result_tables.shared import COLUMNS, MIGRATIONS, SHARED_TABLES, USE_CASES
from many_models.core.result_tables.spec import SLICE, Declaration, Entry, Table

_EVERYTHING = "1 = 1"
_OURS = "ix_"  # what the names of our indexes begin with

Held = dict[str, Mapping[str, str]]
"""Columns of tables by name, with their SQL types; none of a table that is not there."""


def make_shape(engine: Engine, cursor: Cursor, declaration: Declaration) -> None:
    """Make what is missing of a use case's tables and views, and write down what they mean."""
    named = {table.suffix: table for table in SHARED_TABLES if table.suffix != MIGRATIONS}
    named |= {declaration.name(table.suffix): table for table in declaration.tables}
    held: Held = {name: engine.columns(cursor, name) for name in named}
    _require_names(engine, cursor, declaration, held)
    for name, table in named.items():
        _require_types(name, table, held[name])
        if not held[name]:
            columns = ", ".join(f"{quote(c.name)} {c.sql_type}" for c in table.columns)
            cursor.execute(f"CREATE TABLE {quote(name)} ({columns})")
    for name, table in named.items():
        _index(cursor, name, table, held[name])
    grown = {name for name, table in named.items() if _lacks(table, held[name])}
    _add_columns(cursor, named, held)
    _fill(cursor, declaration, grown)
    for name, table in named.items():
        _index(cursor, name, table, dict.fromkeys(table.schema.names, ""))
        _drop_indexes(engine, cursor, name, table)
    for view in declaration.views:
        engine.create_view(cursor, declaration.name(view.suffix), view.select)
    _describe(engine, cursor, declaration)


def write_config(engine: Engine, cursor: Cursor, declaration: Declaration) -> None:
    """Write down the use case as it is now, and that its tables are as it declares them."""
    row = {
        "name": declaration.use_case,
        "problem": declaration.problem,
        "config": declaration.config,
        "shape": declaration.digest,
        "changed_at": datetime.now(UTC).replace(tzinfo=None),
    }
    cursor.execute(f"DELETE FROM {quote(USE_CASES)} WHERE name = '{declaration.use_case}'")
    _append(engine, cursor, USE_CASES, [row])


def create_index(
    cursor: Cursor, table: str, columns: Sequence[str], *, unique: bool = False
) -> None:
    """Make an index on these columns of a table, in their order, unless it is there."""
    keys = ", ".join(quote(name) for name in columns)
    kind = "UNIQUE INDEX" if unique else "INDEX"
    name = quote(index_name(table, columns))
    cursor.execute(f"CREATE {kind} IF NOT EXISTS {name} ON {quote(table)} ({keys})")


def index_name(table: str, columns: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([table, *columns]).encode()).hexdigest()[:8]
    return f"{_OURS}{table[:12]}_{digest}"


def _require_names(engine: Engine, cursor: Cursor, declaration: Declaration, held: Held) -> None:
    """No table may bear the name of a view, nor a view that of a table.

    The view of ``bread`` and the table of ``bread_latest`` would be called ``bread_latest_ledger``.
    """
    tables = set(engine.tables(cursor))
    taken = {name for name, columns in held.items() if columns and name not in tables}
    taken |= tables & {declaration.name(view.suffix) for view in declaration.views}
    if taken:
        raise StoreError(
            f"Use case {declaration.use_case!r} needs the name {min(taken)!r}, which another use "
            "case or somebody else has given to a view or table: give the use case another name."
        )


def _require_types(name: str, table: Table, held: Mapping[str, str]) -> None:
    for column in table.columns:
        there = held.get(column.name)
        if there is not None and not fits(there, column.sql_type):
            raise StoreError(
                f"Table {name!r} holds column {column.name!r} as {there}, the use case needs "
                f"{column.sql_type}: give the use case another name, or drop the table."
            )


def _lacks(table: Table, held: Mapping[str, str]) -> bool:
    return any(column.name not in held for column in table.columns)


def _add_columns(cursor: Cursor, named: Mapping[str, Table], held: Held) -> None:
    for name, table in named.items():
        for column in table.columns:
            if held[name] and column.name not in held[name]:
                definition = f"{quote(column.name)} {column.sql_type}"
                cursor.execute(f"ALTER TABLE {quote(name)} ADD COLUMN {definition}")


def _fill(cursor: Cursor, declaration: Declaration, grown: set[str]) -> None:
    """Fill tables that follow from others and are new, or have new columns."""
    for table in declaration.tables:
        if table.derivations and declaration.name(table.suffix) in grown:
            cursor.execute(f"DELETE FROM {quote(declaration.name(table.suffix))}")
            for derivation in table.derivations:
                for statement in derivation.statements:
                    cursor.execute(statement.replace(SLICE, _EVERYTHING))


def _index(cursor: Cursor, name: str, table: Table, there: Mapping[str, str]) -> None:
    """Make the indexes of columns that are there."""
    if table.unique and there.keys() >= set(table.key):
        create_index(cursor, name, table.key, unique=True)
    for columns in table.indexes:
        if there.keys() >= set(columns):
            create_index(cursor, name, columns)


def _drop_indexes(engine: Engine, cursor: Cursor, name: str, table: Table) -> None:
    """Drop those of ours that nobody declares any more."""
    declared = {index_name(name, columns) for columns in (*table.indexes, table.key)}
    for index in engine.indexes(cursor, name):
        if index.startswith(f"{_OURS}{name[:12]}_") and index not in declared:
            cursor.execute(f"DROP INDEX {quote(index)}")


def _describe(engine: Engine, cursor: Cursor, declaration: Declaration) -> None:
    """Comments in the database, where it has any, and the rows of the data dictionary."""
    shared = [
        Entry(t.suffix, "table", t.grain, c.name, place, c.sql_type, c.comment)
        for t in SHARED_TABLES
        for place, c in enumerate(t.columns, start=1)
    ]
    own = list(declaration.dictionary())
    engine.comment(cursor, [*shared, *own])
    rows = [
        *({"use_case": None, **asdict(entry)} for entry in shared),
        *({"use_case": declaration.use_case, **asdict(entry)} for entry in own),
    ]
    cursor.execute(
        f"DELETE FROM {quote(COLUMNS)} "
        f"WHERE use_case IS NULL OR use_case = '{declaration.use_case}'"
    )
    _append(engine, cursor, COLUMNS, rows)


def _append(
    engine: Engine, cursor: Cursor, shared: str, rows: Sequence[Mapping[str, object]]
) -> None:
    """Add rows to one of the shared tables."""
    schema = next(table.schema for table in SHARED_TABLES if table.suffix == shared)
    (batch,) = pa.Table.from_pylist(rows, schema=schema).combine_chunks().to_batches()
    stored = [engine.stored(array) for array in batch.columns]
    cursor.adbc_ingest(shared, pa.table(stored, names=schema.names), mode="append")
