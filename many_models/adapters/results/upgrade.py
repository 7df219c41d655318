"""Migrations of the result store: which version it has, and bringing it to this code's.

Alembic orders the revisions in ``migrations/versions`` and writes the SQL; we run it, in the
transaction and through the driver of our own. So no other SQLite library opens the file (it would
drop the locks of this process, see ``sqlite``), an upgrade is whole or was never there, and what a
use case declares can be made in the same transaction. Revisions learn from ``tables`` which there
are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO, cast

from adbc_driver_manager.dbapi import Cursor

from many_models.adapters.results.engine import Engine, quote
from many_models.core.errors import StoreError
from many_models.core.result_tables.shared import MIGRATIONS

HEAD = "0002"
"""The version that this code reads and writes; known without asking Alembic, which takes a while
to load."""

SCRIPTS = Path(__file__).parent / "migrations"
_ALONE = threading.Lock()  # Alembic's ``op`` and ``context`` are one for all threads


class _Runner:
    """What Alembic takes for a file that it writes SQL to: each write is one statement."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def write(self, text: str) -> None:
        statement = text.strip().removesuffix(";")
        if statement and not statement.startswith("--"):
            self._cursor.execute(statement)

    def flush(self) -> None:
        """Nothing is held back."""


def read_revision(engine: Engine, cursor: Cursor) -> str | None:
    """The store's version; None of one without, be it old or new."""
    if not engine.columns(cursor, MIGRATIONS):
        return None
    cursor.execute(f"SELECT version_num FROM {quote(MIGRATIONS)}")
    rows = cursor.fetchall()
    return str(rows[0][0]) if rows else None


def upgrade(engine: Engine, cursor: Cursor) -> list[str]:
    """Bring the store to this code's version, in the caller's transaction; revisions that ran.

    Raises:
        StoreError: the store is newer than this code.
    """
    stored = read_revision(engine, cursor)
    if stored == HEAD:
        return []
    if not engine.tables(cursor):
        return _begin(cursor)
    return _run(engine, cursor, stored)


def _begin(cursor: Cursor) -> list[str]:
    """What all revisions do to an empty database, without loading Alembic: its own table."""
    table = quote(MIGRATIONS)
    cursor.execute(f"CREATE TABLE {table} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    cursor.execute(f"INSERT INTO {table} VALUES ('{HEAD}')")
    return [HEAD]


def _run(engine: Engine, cursor: Cursor, stored: str | None) -> list[str]:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext, RevisionStep
    from alembic.script import ScriptDirectory

    config = Config()
    config.attributes["tables"] = {
        name: engine.columns(cursor, name) for name in engine.tables(cursor)
    }
    scripts = ScriptDirectory(str(SCRIPTS))
    known = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    if stored is not None and stored not in known:
        raise StoreError(
            f"{engine.url} has version {stored} of the result store, and this code knows "
            f"{' to '.join((known[0], known[-1]))}: it was written by a newer many-models; install "
            "that, or name another store"
        )

    def steps(revision: Any, _: MigrationContext) -> Iterable[RevisionStep]:
        return scripts._upgrade_revs("head", revision)

    with (
        _ALONE,
        EnvironmentContext(config, scripts, fn=steps, as_sql=True, starting_rev=stored) as running,
    ):
        running.configure(
            dialect_name=engine.dialect,
            output_buffer=cast(TextIO, _Runner(cursor)),  # it writes and flushes, no more
            version_table=MIGRATIONS,
            transactional_ddl=False,  # the transaction is the caller's
        )
        running.run_migrations()
    return known[known.index(stored) + 1 if stored else 0 :]
