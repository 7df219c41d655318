from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import adbc_driver_postgresql.dbapi
import pytest

from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.tables import DISTINCT_LIMIT, ColumnSummary
from many_models.core.errors import SourceError


@pytest.fixture
def shop(tmp_path: Path) -> SourceDatabase:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE sales (store INTEGER, sold_at DATE, note TEXT, line INT)")
        rows = [(i % 3, f"2017-01-{i % 31 + 1:02d}", None, i) for i in range(DISTINCT_LIMIT + 5)]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", rows)
        connection.execute("CREATE VIEW all_sales AS SELECT * FROM sales")
    return SourceDatabase(f"sqlite:///{path}")


def test_tables_and_views_are_listed(shop: SourceDatabase) -> None:
    assert shop.tables() == ("all_sales", "sales")


@pytest.mark.parametrize("table", ["sales", "all_sales"])
def test_a_table_is_described_by_its_columns(shop: SourceDatabase, table: str) -> None:
    summary = shop.describe(table)
    assert (summary.name, summary.rows) == (table, DISTINCT_LIMIT + 5)
    store, sold_at, note, line = summary.columns
    assert store == ColumnSummary("store", "INTEGER", 0, 3, "0", "2")
    assert sold_at == ColumnSummary("sold_at", "DATE", 0, 31, "2017-01-01", "2017-01-31")
    assert note == ColumnSummary("note", "TEXT", DISTINCT_LIMIT + 5, 0, None, None)
    assert line.many and not store.many


def test_a_column_may_be_named_like_a_word_of_sql(tmp_path: Path) -> None:
    path = tmp_path / "words.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('CREATE TABLE words ("nothing" INTEGER, "select" TEXT)')
        connection.execute("INSERT INTO words VALUES (1, 'a')")
    names = [
        column.name for column in SourceDatabase(f"sqlite:///{path}").describe("words").columns
    ]
    assert names == ["nothing", "select"]


def test_a_table_that_is_not_there_is_answered_with_the_closest(shop: SourceDatabase) -> None:
    with pytest.raises(SourceError, match=r"no table 'sale'; .* Did you mean 'sales'\?"):
        shop.describe("sale")


@pytest.mark.postgres
def test_postgres_columns_without_order_have_no_range(postgres_url: str) -> None:
    with (
        closing(adbc_driver_postgresql.dbapi.connect(postgres_url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("CREATE TABLE s (k text, t timestamptz, b boolean, j json, u uuid)")
        cursor.execute("INSERT INTO s VALUES ('a', '2017-01-01 01:00+01', true, '{}', NULL)")
        connection.commit()
    columns = SourceDatabase(postgres_url).describe("s").columns
    assert [column.minimum for column in columns] == [
        "a", "2017-01-01 00:00:00+00:00", None, None, None,
    ]  # fmt: skip
    assert [column.distinct for column in columns] == [1, 1, 1, 1, 0]
