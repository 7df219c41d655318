"""The SQL database behind an MLflow registry, opened beside MLflow to write and read in bulk.

SQLite and PostgreSQL. Knows transactions and what differs between the two; which rows there are to
write stands in ``rows``, what is asked in ``sql_reader``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from many_models.adapters.registry import tables
from many_models.adapters.registry.rows import (
    WORKSPACE,
    Numbered,
    Place,
    Registration,
    Row,
    build_rows,
)
from many_models.adapters.registry.tables import Table

_LOCK = 7_303_014_516_213_121  # any number that nobody else locks
_WAIT_SECONDS = 120
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg2"}
_IN_ONE_QUERY = 5_000
_IN_ONE_STATEMENT = 100  # rows: more are not faster, a row alone takes a third longer


def is_supported(uri: str) -> bool:
    """Whether ``uri`` is a database that this module knows how to write."""
    return uri.split(":", 1)[0].split("+", 1)[0] in _DRIVERS


class RegistryDatabase:
    """MLflow's database at ``uri``; connects anew for each transaction."""

    def __init__(self, uri: str) -> None:
        url = make_url(uri)
        self.is_postgres = url.get_backend_name() == "postgresql"
        self._url = url.set(drivername=_DRIVERS[url.get_backend_name()])

    @cached_property
    def engine(self) -> sa.Engine:
        waits = {} if self.is_postgres else {"timeout": _WAIT_SECONDS}
        return sa.create_engine(self._url, poolclass=NullPool, connect_args=waits)

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Errors of the database that are the rows' fault."""
        driver: Any = self.engine.dialect.dbapi
        return (driver.IntegrityError, driver.DataError, ValueError)

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """Errors of the database, whatever their cause."""
        driver: Any = self.engine.dialect.dbapi
        return (driver.Error, sa.exc.SQLAlchemyError)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Rows of a SELECT, whose parameters are written as question marks."""
        with closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(self._sql(sql), parameters)
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def writing(self) -> Iterator[RegistryTransaction]:
        """A transaction that no other of ours overlaps; undone when the block fails."""
        with closing(self.engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            cursor = connection.cursor()
            if self.is_postgres:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            else:
                driver.isolation_level = None  # we say ourselves where a transaction begins
                cursor.execute("PRAGMA foreign_keys=ON")
                cursor.execute("BEGIN IMMEDIATE")
            try:
                yield RegistryTransaction(cursor, self.is_postgres)
            except BaseException:
                driver.rollback()
                raise
            driver.commit()

    def _sql(self, sql: str) -> str:
        return sql.replace("?", "%s") if self.is_postgres else sql


class RegistryTransaction:
    """Writes of one transaction."""

    def __init__(self, cursor: Any, is_postgres: bool) -> None:
        self._cursor = cursor
        self.is_postgres = is_postgres

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that can fail alone."""
        self._cursor.execute("SAVEPOINT part")
        try:
            yield
        except Exception:
            self._cursor.execute("ROLLBACK TO SAVEPOINT part")
            raise
        finally:
            self._cursor.execute("RELEASE SAVEPOINT part")

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement, whose parameters are written as question marks; rows that it touched."""
        self._cursor.execute(self._sql(sql), parameters)
        return int(self._cursor.rowcount)

    def add(self, new: Sequence[Registration], place: Place, alias: str | None) -> list[int]:
        """Write everything about ``new`` but the alias; returns their version numbers.

        Where they are to stand under ``alias``, the registered models take over their tags; those
        of others stay as they are, for they tell what stands there.
        """
        known = self._last_versions({registration.name for registration in new})
        numbered: list[tuple[Registration, int]] = []
        last = dict(known)
        for registration in new:
            last[registration.name] = last.get(registration.name, 0) + 1
            numbered.append((registration, last[registration.name]))
        self._add_models(numbered, known, alias)
        for table, rows in build_rows(numbered, place):
            self.insert(table, rows)
        return [version for _, version in numbered]

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Rows of a SELECT, whose parameters are written as question marks."""
        self._cursor.execute(self._sql(sql), parameters)
        return [tuple(row) for row in self._cursor.fetchall()]

    def _last_versions(self, names: set[str]) -> dict[str, int]:
        """Highest version number of those names that are registered."""
        sql = (
            "SELECT m.name, COALESCE(MAX(v.version), 0) FROM registered_models m"
            " LEFT JOIN model_versions v ON v.workspace = m.workspace AND v.name = m.name"
            f" WHERE m.workspace = '{WORKSPACE}' AND m.name IN ({{}}) GROUP BY m.name"
        )
        found: dict[str, int] = {}
        for part in parts(sorted(names)):
            marks = ",".join("?" * len(part))
            found.update(self.query(sql.format(marks), part))
        return found

    def _add_models(self, numbered: Numbered, known: Mapping[str, int], alias: str | None) -> None:
        models: dict[str, int] = {}
        tags: dict[str, dict[str, str]] = {}
        for new, _ in numbered:
            is_new = new.name not in known and new.name not in models
            models[new.name] = new.created
            if is_new or alias is not None:
                tags.setdefault(new.name, {}).update(new.model_tags)
        self.upsert(
            tables.REGISTERED_MODELS,
            [(WORKSPACE, name, time, time) for name, time in sorted(models.items())],
            ("last_updated_time",),
        )
        self._analyze(len(models))
        by_key = sorted((key, name, tags[name][key]) for name in tags for key in tags[name])
        self.upsert(
            tables.REGISTERED_MODEL_TAGS,
            [(WORKSPACE, name, key, value) for key, name, value in by_key],
        )

    def _analyze(self, models: int) -> None:
        """Let PostgreSQL know that all models share a workspace, where it does not know it yet.

        Else it looks up the parent of each row by workspace, and so reads through all models for
        each: measured, 250 microseconds a row at 10,000 models where 10 are enough.
        """
        if not self.is_postgres:
            return
        name = tables.REGISTERED_MODELS.name
        ((known,),) = self.query(f"SELECT reltuples FROM pg_class WHERE oid = '{name}'::regclass")
        if known < models:
            self._cursor.execute(f"ANALYZE {name}")

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows that are not there yet."""
        if self.is_postgres:
            empty = f", FORCE_NULL ({_listed(table.nullable)})" if table.nullable else ""
            sql = f"COPY {table.name} ({_listed(table.columns)}) FROM STDIN (FORMAT csv{empty})"
            self._cursor.copy_expert(sql, _as_csv(rows))
        else:
            self._insert_values(table, rows, "")

    def upsert(self, table: Table, rows: Iterable[Row], columns: Collection[str] = ()) -> None:
        """Insert rows, or set ``columns`` where they are there; each key comes once.

        Without ``columns``, all that are not part of the key.
        """
        changed = columns or [name for name in table.columns if name not in table.key]
        values = ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
        conflict = f" ON CONFLICT ({_listed(table.key)}) DO UPDATE SET {values}"
        self._insert_values(table, rows, conflict)

    def _insert_values(self, table: Table, rows: Iterable[Row], conflict: str) -> None:
        width = len(table.columns)
        values = chain.from_iterable(rows)
        while part := tuple(islice(values, width * _IN_ONE_STATEMENT)):
            statement = _insertion(table, len(part) // width, conflict)
            self._cursor.execute(self._sql(statement), part)

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """Execute one statement for each of ``rows``."""
        if not rows:
            return
        if self.is_postgres:
            from psycopg2.extras import execute_batch

            execute_batch(self._cursor, self._sql(sql), rows, page_size=500)
        else:
            self._cursor.executemany(sql, rows)

    def _sql(self, sql: str) -> str:
        return sql.replace("?", "%s") if self.is_postgres else sql


def parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    """``items`` in as many parts as queries can hold them."""
    for start in range(0, len(items), _IN_ONE_QUERY):
        yield items[start : start + _IN_ONE_QUERY]


@lru_cache(100)  # its text is long
def _insertion(table: Table, rows: int, conflict: str) -> str:
    marks = ", ".join([f"({', '.join('?' * len(table.columns))})"] * rows)
    return f"INSERT INTO {table.name} ({_listed(table.columns)}) VALUES {marks}{conflict}"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _as_csv(rows: Iterable[Row]) -> io.StringIO:
    """Rows as COPY reads them; None is written like the empty text."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    text.seek(0)
    return text
