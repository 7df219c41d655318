"""Slices of tables and views, as files that are whole or not there."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from many_models.adapters.results.row_files import stream_rows, write_file
from many_models.core.errors import StoreError, UseCaseError
from many_models.steps.exports import Wish, exported, file_name, find_exported, open_export
from many_models.steps.results import Results
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import make_results

USE_CASE = make_use_case()
ORIGINS = [datetime(2024, 1, 7), datetime(2024, 1, 14)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    made = make_results(tmp_path_factory.mktemp("exports"), USE_CASE)
    schema = made.declaration.table("predictions").schema
    for origin in ORIGINS:
        rows = [
            {
                "partition": store,
                "group_key": f"store={store},item=i",
                "store": store,
                "item": "i",
                "origin": origin,
                "time": datetime(2024, 1, origin.day + ahead, 6),
                "periods_ahead": ahead,
                # The driver settles types by the first rows: here they are null for long.
                "prediction": None if store == "a" else ahead / 2,
                "model_version": None if store == "a" else 7,
                "source": "none" if store == "a" else "model",
            }
            for store in ("a", "=b")
            for ahead in range(1, 8)
        ]
        table = pa.Table.from_pylist(rows, schema=schema)
        made.replace("predictions", table, {"origin": str(origin)})
    return made


def export(results: Results, **wish: str) -> pa.Table:
    with open_export(results, Wish(**wish)) as rows:
        return rows.read_all()


@pytest.mark.parametrize(
    ("wish", "count"),
    [
        ({}, 28),
        ({"partition": "a"}, 14),
        ({"origin": "2024-01-14"}, 14),
        ({"key": "store==b,item=i"}, 14),
        ({"first": "2024-01-20"}, 4),
        ({"last": "2024-01-08"}, 2),
        ({"last": "2024-01-08T05:59"}, 0),
        ({"last": "20240108"}, 2),
        ({"last": "9999-12-31"}, 28),
        ({"last": "2024-01-08T07:59+02:00"}, 0),
        ({"last": "2024-01-08T08:00+02:00"}, 2),
        ({"first": "2024-01-15", "last": "2024-01-15", "partition": "a"}, 1),
        ({"partition": "a", "origin": "2024-01-07", "key": "store=a,item=i"}, 7),
    ],
)
def test_a_slice_has_the_rows_that_are_asked_for(
    results: Results, wish: dict[str, str], count: int
) -> None:
    found = export(results, table="predictions", **wish)
    assert found.num_rows == count
    assert found.schema == results.declaration.table("predictions").schema


def test_a_table_may_be_called_by_its_full_name(results: Results) -> None:
    assert export(results, table="sales_predictions").num_rows == 28


def test_a_use_case_may_be_called_as_a_table_begins(tmp_path: Path) -> None:
    latest = make_results(tmp_path, make_use_case(name="latest"))
    assert find_exported(latest, "latest_ledger").suffix == "latest_ledger"
    assert find_exported(latest, "latest_verdicts").suffix == "latest_verdicts"
    assert find_exported(latest, "latest_drift").suffix == "drift"


def test_every_table_and_view_can_be_exported(results: Results) -> None:
    for one in exported(results):
        found = export(results, table=one.suffix)
        assert found.column_names == [column.name for column in one.columns]
    assert export(results, table="dates", first="2024-12-31", last="2024-12-31")[
        "date"
    ].to_pylist() == [date(2024, 12, 31)]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"table": "sale"}, "no table or view 'sale'; there are: accuracy, "),
        ({"table": "dates", "partition": "a"}, "dates has no column partition, so partition"),
        ({"table": "predictions", "partition": "c"}, "no partition 'c'; there are: =b, a"),
        ({"table": "predictions", "partition": "="}, "no partition '='; there are: =b, a"),
        ({"table": "predictions", "origin": "2024-01-08"}, "no origin '2024-01-08'; there are: "),
        ({"table": "predictions", "partition": "="}, "no partition '='; there are: =b, a"),
        ({"table": "predictions", "last": "9999-12-31T23:00-02:00"}, "is no time: write 2017"),
        ({"table": "predictions", "origin": "soon"}, "origin 'soon' is no time: write 2017-12-31"),
        ({"table": "predictions", "first": "?"}, "from '?' is no time"),
        ({"table": "predictions", "key": "store=c"}, "such as store=...,item=..."),
    ],
)
def test_a_wish_that_cannot_be_granted_is_told_with_what_there_is(
    results: Results, wish: dict[str, str], says: str
) -> None:
    with pytest.raises(UseCaseError) as caught:
        export(results, **wish)
    assert says in str(caught.value)


def test_csv_has_no_formulas_and_numbers_as_they_are(results: Results, tmp_path: Path) -> None:
    with open_export(results, Wish("predictions", partition="=b", last="2024-01-08")) as rows:
        assert write_file(rows, tmp_path / "found.csv", "csv") == 1
    (row,) = csv.DictReader((tmp_path / "found.csv").read_text().splitlines())
    assert row["store"] == "'=b"
    assert row["time"] == "2024-01-08 06:00:00"
    assert (row["prediction"], row["model_version"], row["candidate"]) == ("0.5", "7", "")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\n=x", "\uff1dx"])
def test_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    table = pa.table({"text": [text, "plain", "a=b"], "number": [-1.5, 2.0, None]})
    content = b"".join(stream_rows(table.to_reader(), "csv")).decode()
    cells = [row[0] for row in csv.reader(content.splitlines(keepends=True))]
    assert cells[1].startswith("'")
    assert cells[-2:] == ["plain", "a=b"]
    assert "-1.5" in content


def test_parquet_has_all_values_as_they_are(results: Results, tmp_path: Path) -> None:
    with open_export(results, Wish("predictions")) as rows:
        write_file(rows, tmp_path / "found.parquet", "parquet")
    found = pyarrow.parquet.read_table(tmp_path / "found.parquet")
    assert found.equals(export(results, table="predictions"))


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    table = pa.table({"x": [1, 2]})

    def broken() -> pa.RecordBatchReader:
        def batches() -> object:
            yield table.to_batches()[0]
            raise StoreError("the database is gone")

        return pa.RecordBatchReader.from_batches(table.schema, batches())

    (tmp_path / "kept.csv").write_text("what was there")
    for name in ("kept.csv", "new.csv"):
        with pytest.raises(StoreError, match="the database is gone"):
            write_file(broken(), tmp_path / name, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.csv"]
    assert (tmp_path / "kept.csv").read_text() == "what was there"


def test_a_folder_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    table = pa.table({"x": [1]})
    with pytest.raises(StoreError, match="name a folder that is there"):
        write_file(table.to_reader(), tmp_path / "no" / "x.csv", "csv")


def test_rows_are_read_as_they_are_asked_for(results: Results) -> None:
    types = {"partition": "text", "time": "timestamp"}
    sql = f'SELECT "partition", "time" FROM "{results.name("predictions")}"'
    with results.store.snapshot() as snapshot, snapshot.stream(sql, None, types, 3) as rows:
        sizes = [batch.num_rows for batch in rows]
    assert sum(sizes) == 28
    assert max(sizes) == 3


def test_file_names_hold_letters_that_every_system_takes() -> None:
    wish = Wish("sales_predictions", partition="a/b\"\r\n'é", origin="2024-01-07")
    assert file_name(USE_CASE, wish, "csv") == "sales-predictions-a_b_____-2024-01-07.csv"
