from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from many_models.adapters.lake.tables import Lake
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.sources.simulated import load_simulated_source
from many_models.core.errors import SourceError
from many_models.core.forecast.use_case import UseCase
from many_models.core.simulation.retailer import SimulatedSales
from many_models.steps.ingest import (
    TimeWindow,
    WindowReport,
    find_partitions,
    ingest_windows,
    inspect_window,
    keep_windows,
)
from many_models_tests.fakes import make_use_case

SALES = SimulatedSales(stores=2, items=3, days=62, seed=1)
JANUARY = TimeWindow("2023-01-01", datetime(2023, 1, 1), datetime(2023, 2, 1))
FEBRUARY = TimeWindow("2023-02-01", datetime(2023, 2, 1), datetime(2023, 3, 1))
MARCH = TimeWindow("2023-03-01", datetime(2023, 3, 1), datetime(2023, 4, 1))
APRIL = TimeWindow("2023-04-01", datetime(2023, 4, 1), datetime(2023, 5, 1))
USE_CASE = make_use_case(
    keys=["store_id", "item_id"],
    partitioning={"by": "store_id"},
    target="sales",
    features={"known": ["price", "promotion"]},
)
QUERY = "SELECT {} FROM sales WHERE date >= :window_start AND date < :window_end"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"{tmp_path}/lake")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> SourceDatabase:
    url = f"sqlite:///{tmp_path}/source.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    load_simulated_source(SALES, url)
    return SourceDatabase(url)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A SQLite database in which a test may change what it likes."""
    load_simulated_source(SALES, f"sqlite:///{tmp_path}/shop.db")
    return tmp_path / "shop.db"


def _execute(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _database(path: Path) -> SourceDatabase:
    return SourceDatabase(f"sqlite:///{path}")


def _rows(lake: Lake, use_case: UseCase = USE_CASE) -> pa.Table:
    rows = lake.raw_data(use_case).dataset().to_table()
    return rows.sort_by([(name, "ascending") for name in (*use_case.keys, use_case.time.column)])


def test_a_window_holds_what_the_source_gives_for_it(source: SourceDatabase, lake: Lake) -> None:
    written = ingest_windows(USE_CASE, [JANUARY, FEBRUARY], source, lake, "run")

    assert written == {"2023-01-01": 186, "2023-02-01": 168}
    schema = lake.raw_data(USE_CASE).schema
    expected = SALES.table(end=FEBRUARY.end.date()).select(USE_CASE.columns)
    found = _rows(lake)
    assert found.schema.equals(schema)
    assert found.drop_columns(["window"]).equals(
        expected.cast(pa.schema([schema.field(name) for name in USE_CASE.columns]))
    )
    assert found.group_by("window").aggregate([([], "count_all")]).sort_by(
        "window"
    ).to_pylist() == [
        {"window": "2023-01-01", "count_all": 186},
        {"window": "2023-02-01", "count_all": 168},
    ]


def test_ingesting_a_window_again_changes_nothing(source: SourceDatabase, lake: Lake) -> None:
    ingest_windows(USE_CASE, [JANUARY, FEBRUARY], source, lake, "run")
    before = _rows(lake)
    ingest_windows(USE_CASE, [JANUARY], source, lake, "run again")
    assert _rows(lake).equals(before)
    assert inspect_window(USE_CASE, JANUARY, source, lake) == WindowReport(186, 186, 0, 0, ())


def test_a_window_follows_its_source_and_the_others_stay(shop: Path, lake: Lake) -> None:
    ingest_windows(USE_CASE, [JANUARY, FEBRUARY], _database(shop), lake, "run")
    items = _rows(lake)["item_id"].unique().to_pylist()
    _execute(shop, f"DELETE FROM sales WHERE item_id = '{items[0]}'", "UPDATE sales SET sales = 1")

    assert ingest_windows(USE_CASE, [FEBRUARY], _database(shop), lake, "run") == {FEBRUARY.key: 112}

    rows = _rows(lake).to_pylist()
    assert {row["item_id"] for row in rows if row["window"] == FEBRUARY.key} == set(items[1:])
    assert {row["sales"] for row in rows if row["window"] == FEBRUARY.key} == {1.0}
    assert sum(row["window"] == JANUARY.key for row in rows) == 186
    assert {row["sales"] for row in rows if row["window"] == JANUARY.key} > {1.0}


def test_a_window_without_rows_is_empty_and_empties_what_it_held(shop: Path, lake: Lake) -> None:
    assert ingest_windows(USE_CASE, [APRIL], _database(shop), lake, "run") == {APRIL.key: 0}
    assert inspect_window(USE_CASE, APRIL, _database(shop), lake) == WindowReport(0, 0, 0, 0, ())
    ingest_windows(USE_CASE, [MARCH], _database(shop), lake, "run")
    assert _rows(lake).num_rows == 18
    _execute(shop, "DELETE FROM sales WHERE date >= '2023-03-01'")
    ingest_windows(USE_CASE, [MARCH], _database(shop), lake, "run")
    assert _rows(lake).num_rows == 0
    assert find_partitions(USE_CASE, lake) == []


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE sales SET sales = 'none' WHERE date = '2023-01-31'", "'none'"),
        ("ALTER TABLE sales RENAME COLUMN price TO prize", "price.*prize"),
        ("DROP TABLE sales", "no table 'sales'"),
    ],
)
def test_what_is_wrong_in_the_source_is_said_and_the_window_stays(
    shop: Path, lake: Lake, statement: str, message: str
) -> None:
    ingest_windows(USE_CASE, [JANUARY, FEBRUARY], _database(shop), lake, "run")
    before, version = _rows(lake), lake.raw_data(USE_CASE).snapshot().version
    _execute(shop, statement)
    with pytest.raises(SourceError, match=message):
        ingest_windows(USE_CASE, [JANUARY], _database(shop), lake, "run")
    assert _rows(lake).equals(before)
    assert lake.raw_data(USE_CASE).snapshot().version == version


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/shop.db", "postgresql://ann:s3cret@127.0.0.1:1/shop"]
)
def test_an_unreachable_source_leaves_the_window(shop: Path, lake: Lake, url: str) -> None:
    ingest_windows(USE_CASE, [JANUARY], _database(shop), lake, "run")
    before = _rows(lake)
    with pytest.raises(SourceError, match="cannot reach the source database") as caught:
        ingest_windows(USE_CASE, [JANUARY], SourceDatabase(url), lake, "run")
    assert "s3cret" not in str(caught.value)
    assert _rows(lake).equals(before)


def test_null_keys_and_duplicates_and_lost_rows_are_reported(shop: Path, lake: Lake) -> None:
    _execute(
        shop,
        "UPDATE sales SET store_id = NULL WHERE date IN ('2023-01-05', '2023-01-06')",
        "INSERT INTO sales SELECT * FROM sales WHERE date = '2023-01-10'",
        "INSERT INTO sales SELECT * FROM sales WHERE date = '2023-01-10' LIMIT 1",
    )
    ingest_windows(USE_CASE, [JANUARY], _database(shop), lake, "run")
    _execute(shop, "INSERT INTO sales SELECT * FROM sales WHERE date >= '2023-01-20'")

    report = inspect_window(USE_CASE, JANUARY, _database(shop), lake)

    assert report.null_keys == 2 * 6
    # Two stores without a name are one: three items on two days occur twice.
    assert report.duplicates == 7 + 2 * 3
    assert (report.rows, report.source_rows) == (186 + 7, 186 + 7 + 72)


def test_a_column_of_a_later_use_case_is_missing_in_an_older_window(shop: Path, lake: Lake) -> None:
    narrow = make_use_case(
        keys=["store_id", "item_id"], partitioning={"by": "store_id"}, target="sales"
    )
    ingest_windows(narrow, [JANUARY], _database(shop), lake, "run")
    report = inspect_window(USE_CASE, JANUARY, _database(shop), lake)
    assert report.schema_differences == (
        "price: declared double, found None",
        "promotion: declared double, found None",
    )


def test_partitions_are_found_in_all_windows_or_in_some(shop: Path, lake: Lake) -> None:
    stores = SALES.table()["store_id"].unique().to_pylist()
    _execute(
        shop,
        f"DELETE FROM sales WHERE store_id = '{stores[1]}' AND date < '2023-02-01'",
        f"UPDATE sales SET store_id = '..../%' WHERE store_id = '{stores[0]}' AND date > '2023-02'",
        "UPDATE sales SET item_id = NULL WHERE date = '2023-01-05'",
    )
    ingest_windows(USE_CASE, [JANUARY, FEBRUARY], _database(shop), lake, "run")
    assert find_partitions(USE_CASE, lake, [JANUARY.key]) == [stores[0]]
    assert find_partitions(USE_CASE, lake) == sorted(["%2E%2E%2E%2E/%25", *stores])
    hashed = make_use_case(
        **USE_CASE.model_dump(exclude={"partitioning"}), partitioning={"hash": 4}
    )
    assert set(find_partitions(hashed, lake)) <= {f"hash-{n}" for n in range(4)}


def test_windows_that_the_use_case_has_no_more_leave_the_lake(shop: Path, lake: Lake) -> None:
    ingest_windows(USE_CASE, [JANUARY, FEBRUARY, MARCH], _database(shop), lake, "run")
    keep_windows(USE_CASE, [FEBRUARY.key, APRIL.key], lake, "run")
    assert _rows(lake)["window"].unique().to_pylist() == [FEBRUARY.key]


def test_a_query_is_taken_as_it_is_written(shop: Path, lake: Lake) -> None:
    columns = "store_id, item_id, date, ROUND(price) AS price, promotion, sales * 2 AS sales"
    text = {"url": f"sqlite:///{shop}", "query": QUERY.format(columns), "start": "2023-01-01"}
    use_case = make_use_case(**USE_CASE.model_dump(exclude={"source"}), source=text)
    ingest_windows(use_case, [JANUARY], _database(shop), lake, "run")
    doubled = [2 * sold for sold in SALES.table(end=JANUARY.end.date())["sales"].to_pylist()]
    assert _rows(lake, use_case)["sales"].to_pylist() == doubled


def test_of_periods_that_are_not_over_only_known_features_are_taken(lake: Lake, shop: Path) -> None:
    use_case = make_use_case(
        keys=["store_id", "item_id"],
        partitioning={"by": "store_id"},
        target="sales",
        features={"known": ["price"], "past": ["promotion"]},
    )
    over_before = datetime(2023, 1, 30)
    ingest_windows(
        use_case, [JANUARY, FEBRUARY], _database(shop), lake, "run", over_before=over_before
    )
    rows = _rows(lake, use_case).to_pylist()
    over = [row for row in rows if row["date"] < over_before]
    planned = [row for row in rows if row["date"] >= over_before]
    assert (len(over), len(planned)) == (6 * 29, 6 * 30)
    assert all(row["sales"] is not None and row["promotion"] is not None for row in over)
    assert all(row["sales"] is None and row["promotion"] is None for row in planned)
    assert all(row["price"] is not None for row in rows)
