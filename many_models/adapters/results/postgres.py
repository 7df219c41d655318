"""The result store in a PostgreSQL database.

Here: the lock that writers of one table take turns by, bound arrays, numerics in results.
Not here: anything that SQLite shares (`engine.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager.dbapi import Connection, Cursor

from many_models.adapters.results.columns import COLUMN_TYPES
from many_models.adapters.results.engine import Engine, numbered, quote
from many_models.core.result_tables.spec import Entry

_READ_ONLY = "-c%20default_transaction_read_only%3Don"


class PostgresEngine(Engine):
    """PostgreSQL: real column types; writers of one table take turns by an advisory lock."""

    dialect = "postgresql"
    remedy = (
        "Check that the server runs and takes connections at this address, that user and password "
        "are right, and that the user may create and write tables."
    )

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        super().__init__(url)
        added = [] if "connect_timeout=" in url else ["connect_timeout=10"]
        self._uri = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
        if read_only and "options=" in url:  # of two, the server would take notice of one alone
            self._uri = re.sub(r"(?<=[?&]options=)", f"{_READ_ONLY}%20", self._uri)
        elif read_only:
            added.append(f"options={_READ_ONLY}")
        self._uri += (("&" if "?" in url else "?") + "&".join(added)) if added else ""

    def connect(self) -> Connection:
        connection: Connection = adbc_driver_postgresql.dbapi.connect(self._uri)
        return connection

    def begin(self, cursor: Cursor, tables: Sequence[str]) -> None:
        # Other levels would look at the table as it was before the wait for the lock.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("SET LOCAL client_min_messages = warning")
        # Two replacements of the same slice would each delete only what they saw and both add
        # their rows; the locks last until the transaction ends, however it ends. They are taken in
        # one order, lest two transactions wait for each other.
        for number in sorted(map(_lock_number, tables)):
            cursor.execute(f"SELECT pg_advisory_xact_lock({number})::text")
            cursor.fetchall()

    def commit(self, connection: Connection, cursor: Cursor) -> None:
        connection.commit()

    def columns(self, cursor: Cursor, table: str) -> dict[str, str]:
        cursor.execute(
            "SELECT column_name::text, replace(data_type, ' without time zone', '') "
            "FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
            [table],
        )
        return dict(cursor.fetchall())

    def tables(self, cursor: Cursor) -> list[str]:
        cursor.execute(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]

    def indexes(self, cursor: Cursor, table: str) -> list[str]:
        cursor.execute(
            "SELECT indexname::text FROM pg_indexes "
            "WHERE schemaname = current_schema() AND tablename = $1",
            [table],
        )
        return [row[0] for row in cursor.fetchall()]

    def stored(self, array: pa.Array[Any]) -> pa.Array[Any]:
        return array

    def among(self, name: str, sql_type: str, position: int) -> str:
        return f"{quote(name)} = ANY (CAST(${position} AS {sql_type}[]))"

    def bound(self, values: Sequence[pa.Array[Any]]) -> pa.RecordBatch:
        lists = pa.list_(pa.string())
        sets = [pa.array([pc.cast(array, pa.string()).to_pylist()], lists) for array in values]
        return pa.record_batch(sets, names=[str(i) for i in range(len(sets))])

    def create_view(self, cursor: Cursor, name: str, select: str) -> None:
        # Replacing keeps the views that build on this one, but cannot change or drop its columns.
        tag = f"$view_{uuid4().hex}$"
        cursor.execute(
            f"DO {tag} BEGIN CREATE OR REPLACE VIEW {quote(name)} AS {select}; "
            "EXCEPTION WHEN invalid_table_definition THEN "
            f"DROP VIEW {quote(name)}; CREATE VIEW {quote(name)} AS {select}; END {tag}"
        )

    def comment(self, cursor: Cursor, entries: Sequence[Entry]) -> None:
        kinds = {entry.table_name: (entry.kind, entry.grain) for entry in entries}
        said = [
            f"COMMENT ON {kind} {quote(name)} IS {_literal(grain)}"
            for name, (kind, grain) in kinds.items()
        ]
        said += [
            f"COMMENT ON COLUMN {quote(e.table_name)}.{quote(e.column_name)} "
            f"IS {_literal(e.comment)}"
            for e in entries
        ]
        # One statement: a few hundred would each take their way to the server and back.
        tag = f"$comments_{uuid4().hex}$"
        cursor.execute(f"DO {tag} BEGIN {'; '.join(said)}; END {tag}")

    def begin_reading(self, cursor: Cursor) -> None:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def read(self, cursor: Cursor, parts: Sequence[str], values: Sequence[object]) -> pa.Table:
        cursor.execute(numbered(parts, "$"), list(values))
        table = cursor.fetch_arrow_table()
        columns = [_without_numeric(column) for column in table.columns]
        return pa.table(columns, names=table.column_names)

    def stream(
        self,
        cursor: Cursor,
        parts: Sequence[str],
        values: Sequence[object],
        types: Mapping[str, str],
        rows_at_once: int,
    ) -> Iterator[pa.RecordBatch]:
        cursor.execute(numbered(parts, "$"), list(values))
        for batch in cursor.fetch_record_batch():
            arrow = (COLUMN_TYPES[sql_type] for sql_type in types.values())
            columns = zip(batch.columns, arrow, strict=True)
            typed = [_without_numeric(column).cast(kind) for column, kind in columns]
            whole = pa.RecordBatch.from_arrays(typed, names=list(types))
            for start in range(0, whole.num_rows, rows_at_once):
                yield whole.slice(start, rows_at_once)


def _without_numeric(column: Any) -> Any:
    """An array, or a chunked one, with PostgreSQL's numerics as numbers."""
    if getattr(column.type, "type_name", "") == "numeric":
        return column.cast(pa.string()).cast(pa.float64())
    return column


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _lock_number(table: str) -> int:
    key = hashlib.sha256(f"many_models {table}".encode()).digest()[:8]
    return int.from_bytes(key, "big", signed=True)
