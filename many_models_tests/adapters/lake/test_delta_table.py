from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pytest

from many_models.adapters.lake.delta_table import LakeTable
from many_models.core.errors import LakeError, SourceError

COLUMNS = pa.schema([("item", pa.string()), ("sold", pa.float64())])
SCHEMA = COLUMNS.append(pa.field("window", pa.string()))
NASTY_WINDOWS = ["a/b", "it's", 'say "x"', "..", "50%", "a=b,c", "two\nlines", "🥝 kiwi", "x" * 300]

# Replaces window w1 of the table argv[1] by one row, and is killed at the moment argv[2].
KILLED = """
import os, signal, sys
import pyarrow as pa
from many_models.adapters.lake.delta_table import LakeTable

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

columns = pa.schema([("item", pa.string()), ("sold", pa.float64())])
table = LakeTable(sys.argv[1], columns.append(pa.field("window", pa.string())), ("window",))
commit = LakeTable._commit
if sys.argv[2] == "after the commit":
    LakeTable._commit = lambda *arguments: (commit(*arguments), die())
if sys.argv[2] == "before the commit":
    LakeTable._commit = die
rows = pa.table({"item": ["new"], "sold": [9.0]}, schema=columns)
table.replace("w1", rows.to_reader(), "killed run")
"""


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return LakeTable(f"{tmp_path}/raw_data", SCHEMA, ("window",))


def _put(table: LakeTable, window: str, *sold: float, item: str = "a") -> int:
    rows = pa.table({"item": [item] * len(sold), "sold": pa.array(sold, pa.float64())}, COLUMNS)
    return table.replace(window, rows.to_reader(), "run")


def _content(table: LakeTable) -> list[tuple[str, float]]:
    rows = table.dataset().to_table(columns=["window", "sold"]).to_pylist()
    return sorted((row["window"], row["sold"]) for row in rows)


def _stages(table: LakeTable) -> set[str]:
    return {path.name for path in Path(table.uri).glob("staged-*") if path.is_dir()}


def test_a_partition_is_replaced_and_the_others_stay(table: LakeTable) -> None:
    assert _put(table, "w1", 1.0, 2.0) == 2
    assert _put(table, "w2", 3.0) == 1
    assert _put(table, "w1", 4.0) == 1
    assert _content(table) == [("w1", 4.0), ("w2", 3.0)]
    assert [f.rows for f in table.snapshot(["w2"]).files] == [1]


def test_a_partition_without_rows_is_emptied_and_leaves_no_file(table: LakeTable) -> None:
    _put(table, "w1", 1.0)
    assert _put(table, "w1") == 0
    assert _content(table) == []
    assert table.snapshot().files == []


def test_partition_values_may_hold_any_characters(table: LakeTable) -> None:
    for number, window in enumerate(NASTY_WINDOWS):
        _put(table, window, float(number))
    _put(table, "it's", 1.0, 1.5)
    expected = [(window, float(number)) for number, window in enumerate(NASTY_WINDOWS)]
    assert _content(table) == sorted([*expected, ("it's", 1.5)])
    assert table.dataset(["50%"]).to_table()["sold"].to_pylist() == [4.0]
    assert {f.partition["window"] for f in table.snapshot().files} == set(NASTY_WINDOWS)


def test_a_table_may_lie_below_a_path_with_special_characters(tmp_path: Path) -> None:
    table = LakeTable(f"{tmp_path}/my lake [1] é#x/raw_data", SCHEMA, ("window",))
    _put(table, "w1", 1.0)
    _put(table, "w1", 2.0)
    assert _content(table) == [("w1", 2.0)]


def test_rows_that_fail_on_their_way_leave_the_table_as_it_was(table: LakeTable) -> None:
    _put(table, "w1", 1.0)

    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"item": ["b"], "sold": [2.0]}, COLUMNS)
        raise SourceError("text in the target")

    with pytest.raises(SourceError, match="text in the target"):
        table.replace("w1", pa.RecordBatchReader.from_batches(COLUMNS, batches()), "run")
    assert _content(table) == [("w1", 1.0)]
    assert len(_stages(table)) == 1


def test_a_file_says_which_columns_it_has_and_how_many_nulls(tmp_path: Path) -> None:
    old = LakeTable(f"{tmp_path}/t", SCHEMA, ("window",))
    rows = pa.table({"item": ["a", None], "sold": [None, None]}, COLUMNS)
    old.replace("w1", rows.to_reader(), "run")
    wider = LakeTable(old.uri, SCHEMA.insert(2, pa.field("price", pa.float64())), ("window",))
    priced = pa.table({"item": ["a"], "sold": [1.0], "price": [2.0]})
    wider.replace("w2", priced.to_reader(), "run")

    nulls = {f.partition["window"]: f.nulls for f in wider.snapshot().files}
    assert nulls == {"w1": {"item": 1, "sold": 2}, "w2": {"item": 0, "sold": 0, "price": 0}}
    prices = wider.dataset().to_table(columns=["window", "price"]).sort_by("window")
    assert prices["price"].to_pylist() == [None, None, 2.0]


def test_a_column_of_another_type_is_refused_with_the_remedy(table: LakeTable) -> None:
    _put(table, "w1", 1.0)
    schema = pa.schema([("item", pa.string()), ("sold", pa.string()), ("window", pa.string())])
    rows = pa.table({"item": ["a"], "sold": ["many"]})
    with pytest.raises(LakeError, match=r"column sold .* is double, .* makes it string; delete"):
        LakeTable(table.uri, schema, ("window",)).replace("w1", rows.to_reader(), "run")
    assert _content(table) == [("w1", 1.0)]


def test_a_missing_table_says_what_to_materialize(table: LakeTable) -> None:
    with pytest.raises(LakeError, match="does not exist; materialize raw_data"):
        table.snapshot()


def test_writers_of_different_partitions_do_not_disturb_each_other(table: LakeTable) -> None:
    _put(table, "w1", 1.0)
    writers = 6
    together = Barrier(writers, timeout=10)

    def write(writer: int) -> None:
        for number in range(4):
            together.wait()
            _put(table, f"writer-{writer}", float(number))

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))

    written = [(f"writer-{writer}", 3.0) for writer in range(writers)]
    assert _content(table) == [("w1", 1.0), *written]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [("before the commit", [("w1", 1.0)]), ("after the commit", [("w1", 9.0)])],
)
def test_a_killed_writer_leaves_the_table_readable_and_no_rubbish_for_long(
    table: LakeTable, moment: str, expected: list[tuple[str, float]]
) -> None:
    _put(table, "w1", 1.0)
    killed = subprocess.run([sys.executable, "-c", KILLED, table.uri, moment], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(_stages(table)) == 2
    assert _content(table) == expected

    _put(table, "w2", 2.0)

    assert _content(table) == [*expected, ("w2", 2.0)]
    left = {f.path.split("/")[0] for f in table.snapshot().files}
    assert left <= _stages(table)
    # What an earlier version held stays for time travel; an uncommitted stage does not.
    assert len(_stages(table)) == (2 if moment == "before the commit" else 3)
