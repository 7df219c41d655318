"""The SQL store of results: predictions, the ledger, promotion verdicts, stage timings.

Here: replacing a slice of a table in one transaction, reading, views; how Arrow rows become table
rows. Not here: which tables there are and what they mean, and what differs between SQLite
(`sqlite.py`) and PostgreSQL (`postgres.py`).

What a use case declares is made by `ensure`. A table that nobody has declared grows by itself: its
first rows create it, with an index on what makes up their slice; later rows may bring further
columns, which are NULL in the rows before. Columns are bigint, double precision, text, boolean,
date, timestamp and timestamp with time zone, the same in both databases. NaN becomes NULL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
from adbc_driver_manager.dbapi import Cursor

from many_models.adapters.results.columns import COLUMN_TYPES, new_columns, slice_values
from many_models.adapters.results.engine import Engine, hide_password, quote
from many_models.adapters.results.postgres import PostgresEngine
from many_models.adapters.results.reader_role import grant_statements
from many_models.adapters.results.slice_rows import SliceRows
from many_models.adapters.results.snapshot import Snapshot
from many_models.adapters.results.sqlite import SqliteEngine
from many_models.adapters.results.store_shape import create_index, make_shape, write_config
from many_models.adapters.results.upgrade import HEAD, read_revision, upgrade
from many_models.core.errors import StoreError
from many_models.core.result_tables.shared import MIGRATIONS, USE_CASES
from many_models.core.result_tables.spec import SLICE, Declaration

SHAPE_LOCK = "many_models shape"
"""What takes turns by this: making and upgrading tables and views."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that take the place of those of `table` that match `where`; see `replace_slice`.

    `follow` are statements that run once the rows are in, by table that they write: `{slice}` in
    them is the condition by which the rows are found in `table`.
    """

    table: str
    rows: pa.Table | pa.RecordBatchReader
    where: Mapping[str, str | Sequence[str]]
    follow: Sequence[tuple[str, Sequence[str]]] = ()


class ResultStore:
    """Results in a SQLite file (`sqlite:////absolute/path.db`, three slashes for a relative path,
    as in SQLAlchemy) or a PostgreSQL database (`postgresql://user:password@host/database`).

    Safe to share among threads and processes: each call opens and closes its own connection.
    With `read_only` nothing is written, and no SQLite file is made. Whatever the database refuses
    is a StoreError with the URL (its password hidden) and a remedy.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._engine = _open_engine(url, read_only=read_only)

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return self._engine.url

    def check(self) -> None:
        """Raise StoreError unless the database can be reached and written; leaves nothing there."""
        name = f"many_models_check_{uuid4().hex[:16]}"
        with self._engine.transaction("a trial write", name) as cursor:
            cursor.execute(f"CREATE TABLE {quote(name)} (x bigint)")
            cursor.execute(f"DROP TABLE {quote(name)}")

    def replace_slice(
        self,
        table: str,
        rows: pa.Table | pa.RecordBatchReader,
        *,
        where: Mapping[str, str | Sequence[str]],
    ) -> int:
        """Put `rows` in the place of the rows that match `where`, all or nothing; return how many.

        `where` names for each column the value, or the values, that make up the slice, as text
        ("17", "2017-12-31"); every one of `rows` must lie in the slice. Without rows, the slice is
        emptied. Readers see the old slice until the new one is complete; writers of a table take
        turns, so a reader given as `rows` should not be slow. A table, columns or index that are
        missing are made beforehand, in a transaction of their own.
        """
        return self.replace_slices([Slice(table, rows, where)])[0]

    def replace_slices(self, slices: Sequence[Slice]) -> list[int]:
        """Replace slices of several tables in one transaction; return how many rows each got.

        As `replace_slice` does, but readers see all of the new slices or none.
        """
        incoming = [self._open(one) for one in slices]
        tables = [one.table for one in slices]
        doing = f"replacing a slice of {' and '.join(map(repr, tables))}"
        written = {*tables, *(table for one in slices for table, _ in one.follow)}
        try:
            with self._engine.transaction(doing, *written) as cursor:
                for one, rows in zip(slices, incoming, strict=True):
                    self._replace(cursor, one, rows)
        except StoreError:
            for rows in incoming:
                if rows.failure is not None:  # the drivers pass on no more than its text
                    raise rows.failure from None
            raise
        return [rows.count for rows in incoming]

    def _open(self, one: Slice) -> SliceRows:
        if not one.where:
            raise StoreError(f"Replacing a slice of {one.table!r}: `where` names no column.")
        columns = self._prepare(one.table, one.rows, tuple(one.where))
        wanted = {
            name: slice_values(one.table, name, columns[name], values)
            for name, values in one.where.items()
        }
        return SliceRows(self._engine, one.table, one.rows, columns, wanted)

    def _replace(self, cursor: Cursor, one: Slice, rows: SliceRows) -> None:
        condition = " AND ".join(
            self._engine.among(name, rows.columns[name], i)
            for i, name in enumerate(one.where, start=1)
        )
        bound = self._engine.bound(list(rows.wanted.values()))
        cursor.execute(f"DELETE FROM {quote(one.table)} WHERE {condition}", bound)
        if rows.schema.names:
            cursor.adbc_ingest(one.table, rows.reader(), mode="append")
        for _, statements in one.follow:
            for statement in statements:
                cursor.execute(statement.replace(SLICE, condition), bound)

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """The result of one SELECT; as `Snapshot.query`."""
        with self.snapshot() as snapshot:
            return snapshot.query(sql, parameters)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Several queries that see the store as it is at the first, whatever is written since.

        One connection and one transaction that reads: keep it short, and to one thread.
        """
        with self._engine.errors("a query"):
            connection = self._engine.connect()
        with closing(connection):
            with self._engine.errors("a query"), connection.cursor() as cursor:
                self._engine.begin_reading(cursor)
            yield Snapshot(self._engine, connection)

    def ensure(self, declaration: Declaration) -> bool:
        """Make the tables and views that a use case declares, unless they are; whether any was not.

        Cheap where nothing has changed, and safe while other processes do the same: one makes them
        and the others wait. So do writers of the tables, lest each hold a table that the other
        wants. Readers see the store as it was before or after.
        """
        found = self._read_state(declaration)
        if found == (declaration.digest, declaration.config, HEAD):
            return False
        made = found is not None and (found[0], found[2]) == (declaration.digest, HEAD)
        tables = () if made else (declaration.name(table.suffix) for table in declaration.tables)
        doing = f"making the tables of {declaration.use_case!r}"
        with self._engine.transaction(doing, SHAPE_LOCK, *tables) as cursor:
            upgrade(self._engine, cursor)
            if not made:
                make_shape(self._engine, cursor, declaration)
            write_config(self._engine, cursor, declaration)
        return True

    def upgrade(self) -> list[str]:
        """Bring the store to this code's version, all or nothing; the revisions that ran.

        `ensure` does so as well. Raises StoreError where the store is newer than this code.
        """
        with self._engine.transaction("upgrading the store", SHAPE_LOCK) as cursor:
            return upgrade(self._engine, cursor)

    def grant_reading(self, role: str, *, carry_out: bool = True) -> list[str]:
        """Let a role of PostgreSQL read all results, and those made later; the statements.

        Raises StoreError where there are no roles, as in SQLite.
        """
        if not isinstance(self._engine, PostgresEngine):
            raise StoreError(
                f"{self.url}: a SQLite file has no roles; open it read-only, as "
                "file:results.db?mode=ro, and hand others a copy, as docs/results/connect.md says"
            )
        with self._engine.transaction(f"granting {role!r} to read", SHAPE_LOCK) as cursor:
            statements = grant_statements(self._engine, cursor, role)
            for statement in statements if carry_out else ():
                cursor.execute(statement)
        return statements

    def revision(self) -> str | None:
        """The store's version; None of one that was never upgraded."""
        with (
            self._engine.errors("reading the store's version"),
            closing(self._engine.connect()) as connection,
            connection.cursor() as cursor,
        ):
            return read_revision(self._engine, cursor)

    def _read_state(self, declaration: Declaration) -> tuple[str, str, str] | None:
        """Shape and config of the use case as the store has them, and the store's version."""
        sql = (
            f"SELECT shape, config, (SELECT version_num FROM {MIGRATIONS}) AS revision "
            f"FROM {USE_CASES} WHERE name = :name"
        )
        try:
            rows = self.query(sql, {"name": declaration.use_case}).to_pylist()
        except StoreError:  # nobody has made anything yet, or making it tells better what is wrong
            return None
        return (rows[0]["shape"], rows[0]["config"], rows[0]["revision"]) if rows else None

    def columns(self, table: str) -> dict[str, str]:
        """Name and SQL type of each column of a table or view; empty when there is none."""
        with (
            self._engine.errors(f"looking for table {table!r}"),
            closing(self._engine.connect()) as connection,
            connection.cursor() as cursor,
        ):
            return self._engine.columns(cursor, table)

    def _prepare(
        self, table: str, rows: pa.Table | pa.RecordBatchReader, where: Sequence[str]
    ) -> dict[str, str]:
        """Make the table and its columns, where they are missing; return its columns' types."""
        untyped_allowed = isinstance(rows, pa.Table) and rows.num_rows == 0
        columns = self.columns(table)
        if columns and not new_columns(table, rows.schema, columns, untyped_allowed):
            return _require_known(table, where, columns)
        with self._engine.transaction(f"preparing table {table!r}", table) as cursor:
            columns = self._engine.columns(cursor, table)
            new = new_columns(table, rows.schema, columns, untyped_allowed)
            _require_known(table, where, columns | new)
            definitions = [f"{quote(name)} {sql_type}" for name, sql_type in new.items()]
            if columns:
                for definition in definitions:
                    cursor.execute(f"ALTER TABLE {quote(table)} ADD COLUMN {definition}")
            else:
                cursor.execute(f"CREATE TABLE {quote(table)} ({', '.join(definitions)})")
                create_index(cursor, table, where)
        return columns | new


def _require_known(table: str, where: Sequence[str], columns: Mapping[str, str]) -> dict[str, str]:
    for name in where:
        if columns.get(name) not in COLUMN_TYPES:
            raise StoreError(
                f"Replacing a slice of {table!r}: `where` names column {name!r}, which is "
                f"missing or of a foreign type: name some of {columns}."
            )
    return dict(columns)


def _open_engine(url: str, *, read_only: bool) -> Engine:
    if re.match(r"postgres(ql)?(\+\w+)?://", url):
        return PostgresEngine(url, read_only=read_only)
    path = url.removeprefix("sqlite:///")
    if path == url or path in ("", ":memory:"):
        raise StoreError(
            f"Result store {hide_password(url)!r}: give sqlite:////absolute/path.db, "
            "sqlite:///relative/path.db or postgresql://user:password@host/database."
        )
    return SqliteEngine(url, Path(path).absolute(), read_only=read_only)
