"""A role of PostgreSQL that may read the results and nothing else: what it is granted."""

from __future__ import annotations

from adbc_driver_manager.dbapi import Cursor

from many_models.adapters.results.engine import quote
from many_models.adapters.results.postgres import PostgresEngine
from many_models.core.errors import StoreError
from many_models.core.result_tables.shared import COLUMNS, SHARED_TABLES


def grant_statements(engine: PostgresEngine, cursor: Cursor, role: str) -> list[str]:
    """Statements by which a role may read all results there are, and those made later.

    Later ones are what the user of this connection makes in this schema.

    Raises:
        StoreError: there is no such role, or the store has no results yet.
    """
    cursor.execute("SELECT rolname::text FROM pg_roles WHERE rolname = $1", [role])
    if not cursor.fetchall():
        raise StoreError(
            f"{engine.url} has no role {role!r}: make it first, as CREATE ROLE {quote(role)} LOGIN "
            "PASSWORD '...'"
        )
    if not engine.columns(cursor, COLUMNS):
        raise StoreError(f"{engine.url} has no results yet: run a use case, then grant")
    cursor.execute("SELECT current_schema()::text, current_database()::text")
    ((schema, database),) = cursor.fetchall()
    cursor.execute(f"SELECT DISTINCT table_name FROM {quote(COLUMNS)} ORDER BY table_name")
    shared = {table.suffix for table in SHARED_TABLES}
    names = sorted(shared | {row[0] for row in cursor.fetchall()})
    tables = ", ".join(f"{quote(schema)}.{quote(name)}" for name in names)
    reader = quote(role)
    return [
        f"GRANT CONNECT ON DATABASE {quote(database)} TO {reader}",
        f"GRANT USAGE ON SCHEMA {quote(schema)} TO {reader}",
        f"GRANT SELECT ON {tables} TO {reader}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {quote(schema)} GRANT SELECT ON TABLES TO {reader}",
    ]
