"""What is written in one transaction of an MLflow registry's database.

Knows versions' numbers, and how many rows get into a table quickly; which rows there are stands in
``rows``. Where transactions begin and end is decided in ``database``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from typing import Any

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

_IN_ONE_QUERY = 5_000
_IN_ONE_STATEMENT = 100  # rows: more are not faster, a row alone takes a third longer


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

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement, whose parameters are written as question marks; rows that it touched."""
        self._cursor.execute(self._sql(sql), parameters)
        return int(self._cursor.rowcount)

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
        return in_dialect(sql, self.is_postgres)


def in_dialect(sql: str, is_postgres: bool) -> str:
    """``sql`` with its question marks as the driver of the database wants them."""
    return sql.replace("?", "%s") if is_postgres else sql


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
