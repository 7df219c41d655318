"""The SQL database behind an MLflow registry, opened beside MLflow to write and read in bulk.

SQLite and PostgreSQL: how to connect, and where a transaction begins and ends. What is written in
one stands in ``transaction``, what is asked in ``sql_reader``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from many_models.adapters.registry import tables
from many_models.adapters.registry.rows import Row
from many_models.adapters.registry.transaction import RegistryTransaction, in_dialect

_LOCK = 7_303_014_516_213_121  # any number that nobody else locks
_WAIT_SECONDS = 120
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg2"}


def is_supported(uri: str) -> bool:
    """Whether ``uri`` is a database that this module knows how to write."""
    return uri.split(":", 1)[0].split("+", 1)[0] in _DRIVERS


class RegistryDatabase:
    """MLflow's database at ``uri``: connections for reading are kept, each writer has its own."""

    def __init__(self, uri: str) -> None:
        url = make_url(uri)
        self.is_postgres = url.get_backend_name() == "postgresql"
        self._url = url.set(drivername=_DRIVERS[url.get_backend_name()])
        self._waits = {} if self.is_postgres else {"timeout": _WAIT_SECONDS}
        self._reading: dict[int, sa.Engine] = {}

    @cached_property
    def engine(self) -> sa.Engine:
        return sa.create_engine(self._url, poolclass=NullPool, connect_args=self._waits)

    def _open_for_reading(self) -> sa.Engine:
        """Engine of this process; one that was forked must not use its parent's connections."""
        process = os.getpid()
        if process not in self._reading:
            engine = sa.create_engine(
                self._url,
                connect_args=self._waits,
                isolation_level="AUTOCOMMIT",  # no transaction stays open between queries
                pool_pre_ping=True,
                max_overflow=-1,
            )
            self._reading.setdefault(process, engine)
        return self._reading[process]

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
        with closing(self._open_for_reading().raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(in_dialect(sql, self.is_postgres), parameters)
            return [tuple(row) for row in cursor.fetchall()]

    def analyze(self) -> None:
        """Let PostgreSQL know what the tables that are searched hold now.

        Until it finds out by itself, a minute later, it may search them row by row: measured, two
        minutes in place of half a second for 10,000 champions.
        """
        if self.is_postgres:
            with closing(self.engine.raw_connection()) as connection:
                names = ", ".join(table.name for table in tables.SEARCHED)
                connection.cursor().execute(f"ANALYZE {names}")
                connection.commit()

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
