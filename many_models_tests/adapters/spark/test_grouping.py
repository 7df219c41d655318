from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from many_models.adapters.lake.delta_table import LakeTable
from many_models.adapters.lake.tables import Lake
from many_models.adapters.spark.grouping import CHECKSUM, read_table, total_groups, write_shards
from many_models.core.forecast.use_case import UseCase
from many_models.core.sharding import GROUPS_A_SHARD
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case

pytestmark = pytest.mark.spark

USE_CASE = make_use_case()
WEEK = [1.0, 2.0, None, 4.0, 5.0, float("nan"), 7.0]


def _series(start: str, *targets: float | None) -> Columns:
    return make_series(USE_CASE, start, targets)


def _ingest(
    root: Path | str, groups: Mapping[tuple[str, ...], Columns], use_case: UseCase = USE_CASE
) -> LakeTable:
    table = Lake(str(root)).raw_data(use_case)
    table.replace("w", make_shard(use_case, groups).to_reader(), "run")
    return table


def test_totals_are_of_each_group_in_the_order_of_partition_and_key(
    spark: SparkSession, tmp_path: Path
) -> None:
    raw = _ingest(
        tmp_path,
        {
            ("s2", "a"): _series("2024-01-01", *WEEK),
            ("s1", "b"): _series("2024-01-05", float("inf"), 1.0, None),
            ("s1", "a"): _series("2024-01-01", None),
        },
    )
    totals = total_groups(read_table(spark, raw), USE_CASE)
    assert totals.table.drop_columns([CHECKSUM]).to_pylist() == [
        _total("s1", "a", 1, 0.0, None),
        _total("s1", "b", 3, 1.0, datetime(2024, 1, 6)),
        _total("s2", "a", 7, 19.0, datetime(2024, 1, 7)),
    ]
    assert totals.data_through == datetime(2024, 1, 7)
    assert totals.of(["s1"]).partitions == ["s1", "s1"]
    assert totals.of(["s1"]).data_through == datetime(2024, 1, 6)


def _total(store: str, item: str, rows: int, target: float, last: datetime | None) -> object:
    names = ["store", "item", "rows", "target_sum", "last_time", "partition"]
    return dict(zip(names, [store, item, rows, target, last, store], strict=True))


def test_the_checksum_knows_every_value_and_not_the_order(
    spark: SparkSession, tmp_path: Path
) -> None:
    first: list[float | None] = [3.0, 1.0, 2.0]
    variants: list[list[float | None]] = [first, [1.0, 3.0, 2.0], [3.0, 1.0, 2.5], [3.0, None, 2.0]]
    checksums = []
    for number, targets in enumerate(variants):
        raw = _ingest(tmp_path / str(number), {("s", "x"): _series("2024-01-01", *targets)})
        checksums.append(total_groups(read_table(spark, raw), USE_CASE).table[CHECKSUM][0].as_py())
    shard = make_shard(USE_CASE, {("s", "x"): _series("2024-01-01", *first)})
    backwards = Lake(f"{tmp_path}/backwards").raw_data(USE_CASE)
    backwards.replace("w", shard.take([2, 0, 1]).to_reader(), "run")
    found = total_groups(read_table(spark, backwards), USE_CASE).table[CHECKSUM][0].as_py()
    assert found == checksums[0]
    assert len(set(checksums)) == 4


def test_shards_hold_whole_groups_sorted_by_key_and_time(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(f"{tmp_path}/my lake [1] é")
    sizes = {"s1": GROUPS_A_SHARD + 1, "s2": 3}
    items = {store: [f"{n:03}" for n in range(size)] for store, size in sizes.items()}
    shard = make_shard(
        USE_CASE,
        {(s, i): _series("2024-01-01", 3.0, 1.0, 2.0) for s in items for i in items[s]},
    )
    shuffled = [(row * 37) % shard.num_rows for row in range(shard.num_rows)]
    raw, grouped = lake.raw_data(USE_CASE), lake.grouped_datasets(USE_CASE)
    raw.replace("w", shard.take(shuffled).to_reader(), "run")
    rows, through = read_table(spark, raw), datetime(2024, 2, 1)
    totals = total_groups(rows, USE_CASE)

    files = grouped.replace_files(
        ["s1", "s2"],
        lambda stage: write_shards(rows, totals, through, grouped, USE_CASE, stage),
        "run",
    )

    files.sort(key=lambda file: int(file.partition["shard"]))
    names = ["partition", "shard", "shard_groups", "data_through"]
    assert [[f.rows, *map(f.partition.get, names)] for f in files] == [
        [300, "s1", "0", "100", "2024-02-01 00:00:00"],
        [3, "s1", "1", "1", "2024-02-01 00:00:00"],
        [9, "s2", "2", "3", "2024-02-01 00:00:00"],
    ]
    written = [pq.ParquetFile(grouped.locate(file.path)).read() for file in files]
    assert pa.concat_tables(written).equals(shard)
    assert grouped.snapshot().files == sorted(files, key=grouped.snapshot().files.index)


def test_a_column_that_a_file_lacks_is_read_as_null(spark: SparkSession, tmp_path: Path) -> None:
    _ingest(tmp_path, {("s", "a"): _series("2024-01-01", 1.0)})
    wider = make_use_case(features={"known": ["price"]})
    raw = Lake(str(tmp_path)).raw_data(wider)
    assert read_table(spark, raw).toArrow()["price"].to_pylist() == [None]


def test_a_table_without_files_has_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    raw = _ingest(tmp_path, {})
    rows = read_table(spark, raw)
    assert rows.columns == ["store", "item", "date", "sold"]
    totals = total_groups(rows, USE_CASE)
    assert totals.table.num_rows == 0
    assert totals.data_through is None
    assert totals.table.schema.field("last_time").type == pa.timestamp("us")
