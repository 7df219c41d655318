"""What is read while others write, held by SQLite and by PostgreSQL."""

from __future__ import annotations

import multiprocessing
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from many_models.adapters.results.store import ResultStore, Slice
from many_models.core.errors import StoreError
from many_models.core.result_tables.declaration import declare
from many_models_tests.adapters.results.replacing import replace_again
from many_models_tests.fakes import make_use_case

SPAWN = multiprocessing.get_context("spawn")
ORIGIN = datetime(2024, 3, 1)
GROUPS, DAYS, ROUNDS = 100, 7, 4
ROWS = GROUPS * DAYS
EACH = "COUNT(*) AS n, MIN(model_version) AS low, MAX(model_version) AS high"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return str(request.getfixturevalue("postgres_url"))


def transactions_of(version: int) -> list[list[Slice]]:
    """What scoring an origin writes, then what measuring it does; all figures tell the version."""
    declaration = declare(make_use_case())
    rows = [
        {
            "partition": "s1",
            "group_key": f"store=s1,item={group}",
            "store": "s1",
            "item": str(group),
            "origin": ORIGIN,
            "time": ORIGIN + timedelta(days=day),
            "periods_ahead": day,
            "prediction": 10.0 * version,
            "lower": 10.0 * version - 5.0,
            "upper": 10.0 * version + 5.0,
            "source": "model",
            "model_version": version,
            "actual": 10.0,
            "deviation": 10.0 * version - 10.0,
            "covered": int(version == 1),
        }
        for group in range(GROUPS)
        for day in range(1, DAYS + 1)
    ]

    def slice_of(suffix: str, every: int = 1) -> Slice:
        table = pa.Table.from_pylist(rows[::every], schema=declaration.table(suffix).schema)
        follow = [(declaration.name(s), done) for s, done in declaration.derived_from(suffix)]
        return Slice(declaration.name(suffix), table, {"origin": str(ORIGIN)}, follow)

    return [[slice_of("predictions"), slice_of("scoring", DAYS)], [slice_of("accuracy")]]


def test_readers_see_one_whole_version_of_an_origin_however_often_it_is_replaced(url: str) -> None:
    store = ResultStore(url)
    store.ensure(declare(make_use_case()))
    transactions = [*transactions_of(1), *transactions_of(2)]
    receiver, sender = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(
        target=replace_again, args=(url, transactions, ROUNDS, sender), daemon=True
    )
    process.start()
    assert receiver.poll(60), "the writer did not begin"
    seen: set[int] = set()
    reads = 0
    while process.is_alive():
        reads += 1
        (latest,) = store.query(f"SELECT {EACH} FROM sales_latest_predictions").to_pylist()
        assert (latest["n"], latest["low"]) == (ROWS, latest["high"])
        seen.add(latest["low"])
        (joined,) = store.query(
            f"SELECT {EACH}, COUNT(actual) AS judged, MIN(deviation) AS off, SUM(covered) AS hits "
            "FROM sales_forecast_vs_actual"
        ).to_pylist()
        version = joined["low"]
        assert (joined["n"], joined["judged"], joined["high"]) == (ROWS, ROWS, version)
        assert (joined["off"], joined["hits"]) == (10.0 * version - 10, ROWS * (version == 1))
        (judged,) = store.query(
            "SELECT COUNT(*) AS groups, SUM(n) AS n, MIN(mae) AS low, MAX(mae) AS high "
            "FROM sales_accuracy_by_group"
        ).to_pylist()
        assert (judged["groups"], judged["n"], judged["low"]) == (GROUPS, ROWS, judged["high"])
        with store.snapshot() as page:
            (one,) = page.query(f"SELECT {EACH} FROM sales_predictions").to_pylist()
            (two,) = page.query(f"SELECT {EACH} FROM sales_scoring").to_pylist()
        assert (one["low"], one["high"]) == (two["low"], two["high"])
    assert process.exitcode == 0
    assert reads > 1
    assert seen <= {1, 2}


def test_a_store_that_is_opened_to_read_is_not_written(url: str) -> None:
    ResultStore(url).ensure(declare(make_use_case()))
    reader = ResultStore(url, read_only=True)
    assert reader.query("SELECT * FROM sales_groups").num_rows == 0
    (first, _) = transactions_of(1)
    with pytest.raises(StoreError, match=r"read-?only"):
        reader.replace_slices(first)
    assert reader.query("SELECT * FROM sales_predictions").num_rows == 0


def test_a_missing_file_is_not_made_by_a_reader(tmp_path: Path) -> None:
    reader = ResultStore(f"sqlite:///{tmp_path}/results.db", read_only=True)
    with pytest.raises(StoreError, match=r"there is no result store at .*results\.db: run"):
        reader.query("SELECT 1 AS x")
    assert not (tmp_path / "results.db").exists()
