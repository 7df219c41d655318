"""The tables that all use cases of a result store share: which there are, and what columns mean."""

from __future__ import annotations

from many_models.core.result_tables.spec import Column, Table

USE_CASES = "many_models_use_cases"
COLUMNS = "many_models_columns"
MIGRATIONS = "many_models_migrations"

SHARED_TABLES = (
    Table(
        USE_CASES,
        "One row a use case whose results are here",
        (
            Column("name", "text", "Name of the use case: its tables are called <name>_..."),
            Column(
                "problem", "text", "Shape of its problem: forecast, regression or classification"
            ),
            Column("config", "text", "The use case as JSON, without its source's URL"),
            Column("shape", "text", "Digest of its tables and views as they were made last"),
            Column("changed_at", "timestamp", "When they were, in UTC"),
        ),
        key=("name",),
        unique=True,
    ),
    Table(
        COLUMNS,
        "One row a column of a table or view: the data dictionary",
        (
            Column("use_case", "text", "Use case that the table is of; null where all share it"),
            Column("table_name", "text", "Name of the table or view"),
            Column("kind", "text", "table or view"),
            Column("grain", "text", "What one row of it is"),
            Column("column_name", "text", "Name of the column"),
            Column("position", "bigint", "Place of the column, from 1"),
            Column("sql_type", "text", "Type of the column, as PostgreSQL calls it"),
            Column("comment", "text", "What the column means, with its unit"),
        ),
        key=("table_name", "column_name"),
        unique=True,
    ),
    Table(
        MIGRATIONS,
        "One row: which version of this schema the store has",
        (Column("version_num", "text", "Revision of the last migration, as Alembic keeps it"),),
        key=("version_num",),
    ),
)
