"""The result store: one contract, held by SQLite and by PostgreSQL."""

from __future__ import annotations

import math
import multiprocessing
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pytest

from many_models.adapters.results.store import ResultStore, Slice
from many_models.core.errors import StoreError
from many_models.core.result_tables.spec import Column, Declaration, Table

MIDNIGHT = datetime(2017, 12, 31)
SLICE_ROWS = 30_000
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/results.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(url: str) -> ResultStore:
    return ResultStore(url)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "results.db"


def sales(store_number: str, *values: float | None) -> pa.Table:
    return pa.table(
        {
            "store": [store_number] * len(values),
            "sales": pa.array(values, pa.float64()),
        }
    )


def all_sales(store: ResultStore) -> list[tuple[str, float | None]]:
    rows = store.query("SELECT store, sales FROM predictions ORDER BY store, sales").to_pylist()
    return [(row["store"], row["sales"]) for row in rows]


# Replacing a slice


def test_the_first_slice_creates_the_table(store: ResultStore) -> None:
    assert store.columns("predictions") == {}
    assert store.replace_slice("predictions", sales("17", 1.0, 2.0), where={"store": "17"}) == 2
    assert list(store.columns("predictions")) == ["store", "sales"]
    assert all_sales(store) == [("17", 1.0), ("17", 2.0)]


def test_a_slice_takes_the_place_of_its_old_rows_and_of_no_others(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0, 2.0), where={"store": "17"})
    store.replace_slice("predictions", sales("18", 3.0), where={"store": "18"})
    assert store.replace_slice("predictions", sales("17", 9.0), where={"store": "17"}) == 1
    assert all_sales(store) == [("17", 9.0), ("18", 3.0)]


def test_a_slice_without_rows_is_emptied(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    store.replace_slice("predictions", sales("18", 3.0), where={"store": "18"})
    assert store.replace_slice("predictions", sales("17"), where={"store": "17"}) == 0
    assert store.replace_slice("predictions", pa.table({}), where={"store": "18"}) == 0
    assert all_sales(store) == []


def test_a_slice_can_be_named_by_thousands_of_values(store: ResultStore) -> None:
    names = [f"store '{i}'" for i in range(5_000)]
    rows = pa.table({"store": names, "sales": pa.array(range(5_000), pa.int64())})
    for _ in range(2):
        assert store.replace_slice("predictions", rows, where={"store": names}) == 5_000
    store.replace_slice("predictions", rows.slice(0, 0), where={"store": names[1:]})
    assert all_sales(store) == [("store '0'", 0)]


def test_every_column_of_where_narrows_the_slice(store: ResultStore) -> None:
    rows = pa.table({"store": ["1", "1", "2", "2"], "sales": [1, 2, 3, 4], "kind": [*"abab"]})
    store.replace_slice("predictions", rows, where={"store": ["1", "2"]})
    where = {"store": ["1", "2"], "kind": "a"}
    store.replace_slice("predictions", rows.slice(0, 0), where=where)
    assert all_sales(store) == [("1", 2), ("2", 4)]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([MIDNIGHT], pa.timestamp("ns")), "2017-12-31"),
        (pa.array([MIDNIGHT], pa.timestamp("s")), "2017-12-31 00:00:00"),
        (pa.array([MIDNIGHT], pa.timestamp("us", "UTC")), "2017-12-31 00:00:00+00:00"),
        (pa.array([MIDNIGHT.date()]), "2017-12-31"),
        (pa.array([17]), "17"),
        (pa.array([0.5]), "0.5"),
        (pa.array([True]), "true"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else value,
)
def test_a_value_of_a_slice_is_read_as_its_column_is(
    store: ResultStore, column: pa.Array[pa.Scalar[pa.DataType]], text: str
) -> None:
    rows = pa.table({"key": column})
    for _ in range(2):
        store.replace_slice("predictions", rows, where={"key": text})
    assert store.query("SELECT key FROM predictions").num_rows == 1


def test_a_value_that_its_column_cannot_hold_is_refused(store: ResultStore) -> None:
    rows = pa.table({"day": [MIDNIGHT.date()]})
    with pytest.raises(StoreError, match=r"'day' does not fit date.*yesterday"):
        store.replace_slice("predictions", rows, where={"day": "yesterday"})


def test_rows_outside_of_their_slice_are_refused(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    rows = pa.concat_tables([sales("17", 2.0), sales("18", 3.0)])
    with pytest.raises(StoreError, match=r"store = '18', outside of the slice"):
        store.replace_slice("predictions", rows, where={"store": "17"})
    with pytest.raises(StoreError, match="lack column 'store'"):
        store.replace_slice("predictions", rows.select(["sales"]), where={"store": "17"})
    assert all_sales(store) == [("17", 1.0)]


@pytest.mark.parametrize(("where", "told"), [({}, "names no column"), ({"shop": "1"}, "'shop'")])
def test_a_slice_must_be_named_by_columns_that_exist(
    store: ResultStore, where: dict[str, str], told: str
) -> None:
    with pytest.raises(StoreError, match=told):
        store.replace_slice("predictions", sales("17", 1.0), where=where)
    assert store.columns("predictions") == {}


def test_rows_may_come_batch_by_batch(store: ResultStore) -> None:
    batches = [*sales("17", 1.0, 2.0).to_batches(), *sales("17", 3.0).to_batches()]
    rows = pa.RecordBatchReader.from_batches(batches[0].schema, iter(batches))
    assert store.replace_slice("predictions", rows, where={"store": "17"}) == 3
    assert all_sales(store) == [("17", 1.0), ("17", 2.0), ("17", 3.0)]


def test_a_source_that_breaks_off_leaves_the_old_slice(store: ResultStore) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield from sales("17", 2.0).to_batches()
        raise KeyError("no more rows")

    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    rows = pa.RecordBatchReader.from_batches(sales("17").schema, broken())
    with pytest.raises(KeyError, match="no more rows"):
        store.replace_slice("predictions", rows, where={"store": "17"})
    assert all_sales(store) == [("17", 1.0)]


def test_slices_of_several_tables_are_replaced_together_or_not_at_all(store: ResultStore) -> None:
    def replace(*values: float, other: pa.Table) -> list[int]:
        return store.replace_slices(
            [
                Slice("predictions", sales("17", *values), {"store": "17"}),
                Slice("others", other.to_reader(), {"store": "17"}),
            ]
        )

    assert replace(1.0, 2.0, other=sales("17", 5.0)) == [2, 1]
    with pytest.raises(StoreError, match=r"'others'.*outside"):
        replace(3.0, other=sales("18", 6.0))

    assert all_sales(store) == [("17", 1.0), ("17", 2.0)]
    assert store.query("SELECT sales FROM others").to_pylist() == [{"sales": 5.0}]


def test_the_rows_given_are_not_changed(store: ResultStore) -> None:
    rows = sales("17", 1.0, math.nan)
    store.replace_slice("predictions", rows, where={"store": "17"})
    assert math.isnan(rows["sales"][1].as_py())


# What a table holds


def test_every_type_comes_back_as_it_went_in(store: ResultStore) -> None:
    rows = pa.table(
        {
            "key": ["a", "a"],
            "count": pa.array([2**62, None], pa.int64()),
            "value": pa.array([0.1, None], pa.float64()),
            "label": ["x", None],
            "promoted": [True, None],
            "day": pa.array([date(2017, 12, 31), None]),
            "time": pa.array([datetime(2017, 12, 31, 1, 2, 3, 500), None], pa.timestamp("us")),
            "made_at": pa.array(
                [datetime(2017, 12, 31, tzinfo=UTC), None], pa.timestamp("us", "UTC")
            ),
        }
    )
    store.replace_slice("everything", rows, where={"key": "a"})
    assert store.query('SELECT * FROM everything ORDER BY "count" DESC').sort_by("label") == rows
    nothing = store.query("SELECT * FROM everything WHERE key = 'b'")
    assert nothing.schema == rows.schema
    one_null = store.query("SELECT * FROM everything WHERE label IS NULL")
    assert one_null.schema == rows.schema


def test_narrow_and_encoded_types_are_kept_as_the_wide_ones(store: ResultStore) -> None:
    rows = pa.table(
        {
            "key": pa.array(["a"]).dictionary_encode(),
            "small": pa.array([1], pa.int8()),
            "single": pa.array([0.5], pa.float32()),
            "large": pa.array(["x"], pa.large_string()),
            "fine": pa.array([1_514_678_400_000_000_001], pa.timestamp("ns")),
        }
    )
    store.replace_slice("everything", rows, where={"key": "a"})
    kept = store.query("SELECT * FROM everything")
    assert [str(kind) for kind in kept.schema.types] == [
        "string",
        "int64",
        "double",
        "string",
        "timestamp[us]",
    ]
    assert kept["fine"].to_pylist() == [MIDNIGHT]


def test_not_a_number_becomes_null(store: ResultStore) -> None:
    rows = sales("17", math.nan, math.inf, None, 1.5)
    store.replace_slice("predictions", rows, where={"store": "17"})
    kept = store.query("SELECT sales FROM predictions")["sales"].to_pylist()
    assert kept == [None, math.inf, None, 1.5]
    assert store.query("SELECT 1 AS x FROM predictions WHERE sales IS NULL").num_rows == 2


@pytest.mark.parametrize(
    "text", ["🛒 milk", 'O\'Brien "x" \\ ; -- /* :name ?1 $1 %', "é" * 300, "", " \t\n", "../a:b"]
)
def test_no_text_is_harmed(store: ResultStore, text: str) -> None:
    rows = pa.table({"key": [text, text]})
    for _ in range(2):
        store.replace_slice("predictions", rows, where={"key": text})
    found = store.query("SELECT key FROM predictions WHERE key = :key", {"key": text})
    assert found["key"].to_pylist() == [text, text]


@pytest.mark.parametrize("name", ['we"ird', "Order", "with space", "ünï🛒", "a'b", "1; DROP"])
def test_any_identifier_can_name_a_table_and_a_column(store: ResultStore, name: str) -> None:
    rows = pa.table({name: ["a"], "x": [1]})
    for _ in range(2):
        store.replace_slice(name, rows, where={name: "a"})
    wider = pa.table({name: ["a"], name + "+": [2]})
    store.replace_slice(name, wider, where={name: "a"})
    quoted = name.replace('"', '""')
    assert store.query(f'SELECT * FROM "{quoted}"').column_names == [name, "x", name + "+"]


@pytest.mark.parametrize("name", ["", "x" * 64])
def test_an_identifier_that_a_database_would_change_is_refused(
    store: ResultStore, name: str
) -> None:
    with pytest.raises(StoreError, match="cannot name a table, view or column"):
        store.replace_slice(name, sales("17", 1.0), where={"store": "17"})


# How a table grows


def test_a_column_that_is_new_is_added_and_null_in_earlier_rows(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    rows = sales("18", 2.0).append_column("mase", pa.array([0.7]))
    store.replace_slice("predictions", rows, where={"store": "18"})
    kept = store.query("SELECT store, mase FROM predictions ORDER BY store").to_pylist()
    assert kept == [{"store": "17", "mase": None}, {"store": "18", "mase": 0.7}]


def test_a_column_that_rows_lack_is_null_in_them(store: ResultStore) -> None:
    rows = sales("17", 1.0).append_column("mase", pa.array([0.7]))
    store.replace_slice("predictions", rows, where={"store": "17"})
    store.replace_slice("predictions", sales("18", 2.0), where={"store": "18"})
    assert store.query("SELECT mase FROM predictions ORDER BY store")["mase"].to_pylist() == [
        0.7,
        None,
    ]


def test_whole_numbers_fit_a_column_of_floats_and_dates_one_of_times(store: ResultStore) -> None:
    first = pa.table({"key": ["a"], "value": [0.5], "time": pa.array([MIDNIGHT])})
    second = pa.table({"key": ["b"], "value": [2], "time": pa.array([date(2018, 1, 1)])})
    store.replace_slice("predictions", first, where={"key": "a"})
    store.replace_slice("predictions", second, where={"key": "b"})
    kept = store.query("SELECT value, time FROM predictions ORDER BY key")
    assert kept["value"].to_pylist() == [0.5, 2.0]
    assert kept["time"].to_pylist() == [MIDNIGHT, datetime(2018, 1, 1)]


def test_a_conflict_of_types_names_the_column_and_both_types(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    rows = pa.table({"store": ["17"], "sales": ["many"]})
    with pytest.raises(StoreError) as caught:
        store.replace_slice("predictions", rows, where={"store": "17"})
    for told in ["'predictions'", "'sales'", "double precision", "text", "convert the rows"]:
        assert told in str(caught.value)
    assert all_sales(store) == [("17", 1.0)]


def test_a_type_that_the_store_does_not_keep_is_refused(store: ResultStore) -> None:
    rows = pa.table({"store": ["17"], "parts": [[1, 2]]})
    with pytest.raises(StoreError, match=r"'parts' has Arrow type list.*bigint"):
        store.replace_slice("predictions", rows, where={"store": "17"})


def test_a_column_without_values_needs_a_type_only_while_the_table_lacks_it(
    store: ResultStore,
) -> None:
    untyped = pa.table({"store": ["17"], "sales": pa.nulls(1)})
    with pytest.raises(StoreError, match="'sales' holds no value and has no type"):
        store.replace_slice("predictions", untyped, where={"store": "17"})
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    store.replace_slice("predictions", untyped, where={"store": "17"})
    assert all_sales(store) == [("17", None)]


# Reading and views


def test_parameters_are_bound_by_name(store: ResultStore) -> None:
    rows = pa.table(
        {
            "key": ["a", "b"],
            "time": [MIDNIGHT, datetime(2018, 1, 1, 12)],
            "day": [date(2017, 12, 31), date(2018, 1, 1)],
            "value": [0.5, 1.5],
            "made_at": pa.array([MIDNIGHT, datetime(2018, 1, 1)], pa.timestamp("us", "UTC")),
        }
    )
    store.replace_slice("predictions", rows, where={"key": ["a", "b"]})
    select = "SELECT key FROM predictions WHERE "
    for condition, value, found in [
        ("key = :x", "b", ["b"]),
        ("key = :x OR (key = 'a' AND key <> :x)", "b", ["a", "b"]),
        ("time = :x", MIDNIGHT, ["a"]),
        ("time > :x", MIDNIGHT, ["b"]),
        ("day >= :x", date(2018, 1, 1), ["b"]),
        ("made_at = :x", datetime(2018, 1, 1, tzinfo=UTC), ["b"]),
        ("value < :x", 1.0, ["a"]),
        ("key = :x -- :y 'z", "a", ["a"]),
        ("key = 'it''s :y' OR key = :x /* :y */", "a", ["a"]),
        ("key = CAST(:x AS text)", None, []),
    ]:
        kept = store.query(f"{select}{condition}\nORDER BY key;", {"x": value})
        assert kept["key"].to_pylist() == found, condition


def test_a_parameter_without_a_value_is_named(store: ResultStore) -> None:
    with pytest.raises(StoreError, match=r":store, but its parameters are \['shop'\]"):
        store.query("SELECT 1 AS x WHERE '17' = :store", {"shop": "17"})


def test_sums_and_means_are_numbers(store: ResultStore) -> None:
    rows = pa.table({"store": ["17", "17"], "sales": [1, 4]})
    store.replace_slice("predictions", rows, where={"store": "17"})
    sql = "SELECT count(*) AS n, sum(sales) AS total, avg(sales) AS mean FROM predictions"
    assert store.query(sql).to_pylist() == [{"n": 2, "total": 5, "mean": 2.5}]


def test_thousands_of_nulls_before_the_first_value_do_not_settle_the_type(
    store: ResultStore,
) -> None:
    values = [None] * 3_000 + [0.5]
    store.replace_slice("predictions", sales("17", *values), where={"store": "17"})
    sql = "SELECT 2 * sales AS twice FROM predictions ORDER BY sales NULLS FIRST"
    assert store.query(sql)["twice"].to_pylist() == [None] * 3_000 + [1.0]


def test_a_query_writes_nothing(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    with pytest.raises(StoreError, match="a query failed"):
        store.query("DELETE FROM predictions")
    assert all_sales(store) == [("17", 1.0)]


def test_a_query_on_a_missing_table_says_so(store: ResultStore) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        store.query("SELECT * FROM nowhere")


def test_a_snapshot_sees_the_store_as_it_was_whatever_is_written(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    seen = []
    with store.snapshot() as snapshot:
        for value in (2.0, 3.0):
            found = snapshot.query("SELECT sales FROM predictions WHERE store = :s", {"s": "17"})
            seen.append(found["sales"].to_pylist())
            store.replace_slice("predictions", sales("17", value), where={"store": "17"})
    assert seen == [[1.0], [1.0]]
    assert all_sales(store) == [("17", 3.0)]


def test_a_snapshot_writes_nothing(store: ResultStore) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    with pytest.raises(StoreError, match="a query failed"), store.snapshot() as snapshot:
        snapshot.query("DELETE FROM predictions")
    with store.snapshot() as snapshot:
        assert snapshot.query("SELECT sales FROM predictions").num_rows == 1
        with pytest.raises(StoreError, match="a query failed"):
            snapshot.query("UPDATE predictions SET sales = 2")
    assert all_sales(store) == [("17", 1.0)]


# Several processes


def version_rows(version: int, rows: int = SLICE_ROWS) -> pa.Table:
    return pa.table(
        {
            "store": ["17"] * rows,
            "item": [f"item {i}" for i in range(rows)],
            "version": pa.array([version] * rows, pa.int64()),
        }
    )


def keep_replacing(url: str, rounds: int, started: Connection) -> None:
    store = ResultStore(url)
    versions = [version_rows(version) for version in range(2)]
    for i in range(rounds):
        store.replace_slice("predictions", versions[i % 2], where={"store": "17"})
        started.send(i)


def replacing_process(url: str, rounds: int) -> tuple[BaseProcess, Connection]:
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=keep_replacing, args=(url, rounds, there))
    process.start()
    there.close()
    return process, here


def versions_held(store: ResultStore) -> list[int]:
    """The number of rows of each version in the slice."""
    sql = "SELECT version, count(*) AS n FROM predictions GROUP BY version"
    return [row["n"] for row in store.query(sql).to_pylist()]


def test_a_writer_killed_at_any_instant_leaves_the_old_slice_or_the_new(
    store: ResultStore, url: str
) -> None:
    delays = random.Random(17)
    for _ in range(6):
        process, started = replacing_process(url, rounds=10_000)
        assert started.poll(60), "the writer did not start"
        started.recv()
        time.sleep(delays.uniform(0, 0.25))
        process.kill()
        process.join()
        assert process.exitcode == -9
        assert versions_held(store) == [SLICE_ROWS]
    store.replace_slice("predictions", version_rows(2, rows=5), where={"store": "17"})
    assert versions_held(store) == [5]


def test_the_old_slice_can_be_read_while_the_new_one_is_written(store: ResultStore) -> None:
    seen = []

    def watched() -> Iterator[pa.RecordBatch]:
        for _ in range(4):
            yield from version_rows(2).to_batches()
            seen.append(versions_held(store))

    store.replace_slice("predictions", version_rows(1, rows=10), where={"store": "17"})
    rows = pa.RecordBatchReader.from_batches(version_rows(2).schema, watched())
    store.replace_slice("predictions", rows, where={"store": "17"})
    assert seen == [[10]] * 4
    assert versions_held(store) == [4 * SLICE_ROWS]


def test_readers_see_whole_slices_only(store: ResultStore, url: str) -> None:
    process, started = replacing_process(url, rounds=15)
    assert started.poll(60), "the writer did not start"
    seen = []
    while process.is_alive():
        seen.append(versions_held(store))
    assert process.exitcode == 0
    assert len(seen) > 1
    assert seen == [[SLICE_ROWS]] * len(seen)


def replace_own_slice(url: str, name: str, rounds: int) -> None:
    for i in range(rounds):
        rows = sales(name, *[float(i)] * 2_000).append_column(name, pa.array([i] * 2_000))
        ResultStore(url).replace_slice("predictions", rows, where={"store": name})


def test_writers_of_different_slices_do_not_disturb_each_other(
    store: ResultStore, url: str
) -> None:
    names = ["a", "b", "c"]
    writers = [SPAWN.Process(target=replace_own_slice, args=(url, name, 8)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    sql = "SELECT store, sales, count(*) AS n FROM predictions GROUP BY store, sales ORDER BY store"
    expected = [{"store": name, "sales": 7.0, "n": 2_000} for name in names]
    assert store.query(sql).to_pylist() == expected


def ensure(url: str, rounds: int) -> None:
    columns = (Column("store", "text", "The store"), Column("sales", "double precision", "Pieces"))
    table = Table("sales", "One row a store", columns, ("store",), (("store",),), unique=True)
    for _ in range(rounds):
        ResultStore(url).ensure(Declaration("shop", "forecast", "{}", (table,), ()))


def test_several_processes_may_make_the_tables_at_once(store: ResultStore, url: str) -> None:
    processes = [SPAWN.Process(target=ensure, args=(url, 5)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert list(store.columns("shop_sales")) == ["store", "sales"]


def replace_same_slice(url: str, version: int, rounds: int) -> None:
    rows = version_rows(version, rows=2_000)
    for _ in range(rounds):
        ResultStore(url).replace_slice("predictions", rows, where={"store": "17"})


def test_writers_of_the_same_slice_never_add_up(store: ResultStore, url: str) -> None:
    writers = [SPAWN.Process(target=replace_same_slice, args=(url, v, 20)) for v in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert versions_held(store) == [2_000]


def test_a_new_file_that_another_writer_holds_is_waited_for(sqlite_path: Path) -> None:
    with (
        closing(adbc_driver_sqlite.dbapi.connect(str(sqlite_path), autocommit=True)) as other,
        other.cursor() as cursor,
    ):
        cursor.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, cursor.execute, ["COMMIT"])
        release.start()
        ResultStore(f"sqlite:///{sqlite_path}").check()
        release.join()


# Reaching the database


def test_a_store_that_can_be_written_passes_the_check_and_stays_as_it_was(
    store: ResultStore,
) -> None:
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    store.check()
    assert all_sales(store) == [("17", 1.0)]


def test_a_missing_folder_is_created(tmp_path: Path) -> None:
    ResultStore(f"sqlite:///{tmp_path}/new/folder/results.db").check()
    assert (tmp_path / "new" / "folder" / "results.db").exists()


def test_a_relative_path_is_taken_from_where_the_store_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ResultStore("sqlite:///results.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.check()
    assert (tmp_path / "results.db").exists()


@pytest.mark.parametrize("blocker", ["a file is no folder", "not a database"])
def test_a_file_that_cannot_be_the_store_is_named(tmp_path: Path, blocker: str) -> None:
    (tmp_path / "file").write_text("no SQLite database, though long enough " * 100)
    path = tmp_path / "file" / "results.db" if "folder" in blocker else tmp_path / "file"
    with pytest.raises(StoreError, match=r"/file.*failed: .*Check that the file"):
        ResultStore(f"sqlite:///{path}").check()


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "results.db", "sqlite://", "sqlite:///"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"give sqlite:////absolute/path\.db") as caught:
        ResultStore(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_an_unreachable_server_is_named_without_its_password(scheme: str) -> None:
    store = ResultStore(f"{scheme}://analyst:s3cret@127.0.0.1:1/results?password=s3cret")
    told = r"analyst:\*\*\*@127.0.0.1:1.*Check that the server runs"
    with pytest.raises(StoreError, match=told) as on_check:
        store.check()
    with pytest.raises(StoreError, match=told) as on_query:
        store.query("SELECT 1")
    assert "s3cret" not in f"{on_check.value} {on_query.value}"


# What other programs find in the file


def sqlite_from_another_process(path: Path, sql: str) -> str:
    """Printed rows; another process, as no second SQLite library may open the file in this one."""
    program = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
    )
    command = [sys.executable, "-c", program, str(path), sql]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_sqlite_holds_text_that_people_and_tools_can_read_and_sort(sqlite_path: Path) -> None:
    rows = pa.table(
        {
            "key": ["a"],
            "day": [date(2017, 12, 31)],
            "midnight": [MIDNIGHT],
            "fraction": [datetime(2017, 12, 31, 1, 2, 3, 500)],
            "made_at": pa.array([MIDNIGHT], pa.timestamp("ns", "Europe/Berlin")),
            "promoted": [True],
            "value": [2.0],
        }
    )
    ResultStore(f"sqlite:///{sqlite_path}").replace_slice("things", rows, where={"key": "a"})
    found = sqlite_from_another_process(sqlite_path, "SELECT * FROM things")
    assert found == str(
        [
            (
                "a",
                "2017-12-31",
                "2017-12-31 00:00:00",
                "2017-12-31 01:02:03.000500",
                "2017-12-31 00:00:00+00:00",
                1,
                2.0,
            )
        ]
    )
    declared = sqlite_from_another_process(
        sqlite_path, "SELECT lower(type) FROM pragma_table_info('things')"
    )
    assert declared == str(
        [
            ("text",),
            ("date",),
            ("timestamp",),
            ("timestamp",),
            ("timestamp with time zone",),
            ("boolean",),
            ("double precision",),
        ]
    )


def test_sqlite_finds_a_slice_by_its_index(sqlite_path: Path) -> None:
    store = ResultStore(f"sqlite:///{sqlite_path}")
    store.replace_slice("predictions", sales("17", 1.0), where={"store": "17"})
    delete = "DELETE FROM predictions WHERE store IN (SELECT value FROM json_each('[]'))"
    plan = sqlite_from_another_process(sqlite_path, f"EXPLAIN QUERY PLAN {delete}")
    assert "USING INDEX ix_predictions_" in plan


@pytest.mark.postgres
def test_postgres_holds_real_types_and_an_index(postgres_url: str) -> None:
    rows = pa.table(
        {
            "key": ["a"],
            "count": [1],
            "value": [0.5],
            "promoted": [True],
            "day": [date(2017, 12, 31)],
            "time": [MIDNIGHT],
            "made_at": pa.array([MIDNIGHT], pa.timestamp("ns", "Europe/Berlin")),
        }
    )
    store = ResultStore(postgres_url)
    store.replace_slice("things", rows, where={"key": "a"})
    types = store.query(
        "SELECT data_type::text AS t FROM information_schema.columns "
        "WHERE table_name = 'things' ORDER BY ordinal_position"
    )
    assert types["t"].to_pylist() == [
        "text",
        "bigint",
        "double precision",
        "boolean",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
    ]
    index = store.query("SELECT indexdef FROM pg_indexes WHERE tablename = :t", {"t": "things"})
    assert index["indexdef"].to_pylist()[0].endswith("(key)")
