from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from many_models.adapters.lake.tables import Lake
from many_models.core.errors import LakeError
from many_models.core.forecast.use_case import UseCase
from many_models.steps.group import (
    Conservation,
    GroupedPartition,
    compare_with_raw,
    data_through,
    group_partitions,
    read_manifest,
    read_shards,
)
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case

pytestmark = pytest.mark.spark

USE_CASE = make_use_case()
NASTY = [
    "a/b",
    "a:b",
    "it's",
    'say "x"',
    "..",
    "...",
    "🥝",
    "é",
    "x" * 300,
    " spaced out ",
    "50%",
    "%25",
    "a,b=c",
    "two\nlines",
    "tab\t",
    "",
    "__HIVE_DEFAULT_PARTITION__",
    "null",
    "back\\slash",
]

# Groups partition s1 of the lake argv[1] anew, and is killed when its files are staged.
KILLED = """
import os, signal, sys
from many_models.adapters.lake.delta_table import LakeTable
from many_models.adapters.lake.tables import Lake
from many_models.adapters.spark.session import start_session
from many_models.steps.group import group_partitions
from many_models_tests.fakes import make_use_case
LakeTable._commit = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
spark = start_session("local[1]", {"spark.sql.shuffle.partitions": "1"})
group_partitions(make_use_case(), ["s1"], spark, Lake(sys.argv[1]), "killed")
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"{tmp_path}/lake")


Group = Callable[..., dict[str, GroupedPartition]]


@pytest.fixture
def group(spark: SparkSession, lake: Lake) -> Group:
    """Groups partitions of the lake."""

    def run(*partitions: str, use_case: UseCase = USE_CASE) -> dict[str, GroupedPartition]:
        return group_partitions(use_case, partitions, spark, lake, "run")

    return run


@pytest.fixture
def compare(spark: SparkSession, lake: Lake) -> Callable[..., dict[str, Conservation]]:
    def run(*partitions: str) -> dict[str, Conservation]:
        return compare_with_raw(USE_CASE, partitions, spark, lake)

    return run


def _series(*targets: float | None) -> Columns:
    return make_series(USE_CASE, "2024-01-01", targets)


def _ingest(
    lake: Lake,
    groups: dict[tuple[str, ...], Columns],
    window: str = "w",
    use_case: UseCase = USE_CASE,
) -> pa.Table:
    rows = make_shard(use_case, groups)
    lake.raw_data(use_case).replace(window, rows.to_reader(), "run")
    return rows


def _grouped(lake: Lake, *partitions: str, use_case: UseCase = USE_CASE) -> pa.Table:
    """Rows of the shards, one after the other by their number."""
    shards = sorted(read_shards(use_case, lake, partitions or None), key=lambda s: s.number)
    return pa.concat_tables([pq.ParquetFile(shard.path).read() for shard in shards])


def _sorted(rows: pa.Table) -> list[dict[str, object]]:
    return sorted(rows.to_pylist(), key=lambda row: [str(value) for value in row.values()])


def test_no_row_is_lost_or_doubled_whatever_the_keys_hold(lake: Lake, group: Group) -> None:
    groups: dict[tuple[str, ...], Columns] = {
        (store, item): _series(float(number), None, 3.0)
        for number, store in enumerate(NASTY)
        for item in (NASTY[-number], "plain")
    }
    rows = _ingest(lake, groups)
    partitions = sorted({_partition(store) for store in NASTY})

    found = group(*partitions)

    assert found == {name: GroupedPartition(groups=2, rows=6, shards=1) for name in partitions}
    assert _sorted(_grouped(lake)) == _sorted(rows)
    shards = read_shards(USE_CASE, lake)
    assert {shard.partition for shard in shards} == set(partitions)
    for shard in shards:
        table = pq.ParquetFile(shard.path).read()
        keys = list(zip(*(table[n].to_pylist() for n in ("store", "item", "date")), strict=True))
        assert keys == sorted(keys)
        assert {_partition(store) for store, *_ in keys} == {shard.partition}
        assert (shard.groups, shard.rows) == (2, 6)


def _partition(store: str) -> str:
    special = {"...": "%2E%2E%2E", "50%": "50%25", "%25": "%2525", "two\nlines": "two%0Alines"}
    return {**special, "tab\t": "tab%09", "": "%"}.get(store, store)


def test_windows_are_put_together_in_time_order(lake: Lake, group: Group) -> None:
    later = make_series(USE_CASE, "2024-01-03", [3.0, 4.0])
    _ingest(lake, {("s1", "b"): later, ("s1", "a"): later}, "w2")
    _ingest(lake, {("s1", "a"): _series(1.0, 2.0), ("s2", "a"): _series(9.0)}, "w1")
    group("s1")
    rows = _grouped(lake).to_pylist()
    assert [(r["item"], r["sold"]) for r in rows] == [
        *(("a", value) for value in (1.0, 2.0, 3.0, 4.0)),
        *(("b", value) for value in (3.0, 4.0)),
    ]


def test_grouping_some_partitions_leaves_the_others_alone(lake: Lake, group: Group) -> None:
    _ingest(lake, {(store, "a"): _series(1.0) for store in ("s1", "s2", "s3")})
    group("s1", "s2", "s3")
    before = {shard.partition: shard.path for shard in read_shards(USE_CASE, lake)}
    _ingest(lake, {(store, "a"): _series(2.0) for store in ("s1", "s2", "s3")})

    group("s2")

    after = {shard.partition: shard.path for shard in read_shards(USE_CASE, lake)}
    assert {name for name in after if after[name] != before[name]} == {"s2"}
    assert _grouped(lake, "s2")["sold"].to_pylist() == [2.0]
    assert _grouped(lake, "s1", "s3")["sold"].to_pylist() == [1.0, 1.0]


def test_a_partition_that_the_raw_data_lost_is_emptied(
    lake: Lake, group: Group, compare: Callable[..., dict[str, Conservation]]
) -> None:
    _ingest(lake, {(store, "a"): _series(1.0) for store in ("s1", "s2")})
    group("s1", "s2")
    _ingest(lake, {("s1", "a"): _series(1.0)})
    assert not compare("s2")["s2"].holds

    assert group("s2") == {"s2": GroupedPartition(0, 0, 0)}

    assert [shard.partition for shard in read_shards(USE_CASE, lake)] == ["s1"]
    assert compare("s1", "s2") == {
        "s1": Conservation(1, 1, 1.0, 1.0, 0),
        "s2": Conservation(0, 0, 0.0, 0.0, 0),
    }
    with pytest.raises(LakeError, match="none of the partitions; materialize grouped_datasets"):
        read_shards(USE_CASE, lake, ["s2"])


def test_groups_may_be_spread_over_hash_buckets(lake: Lake, group: Group) -> None:
    hashed = make_use_case(partitioning={"hash": 3})
    rows = _ingest(lake, {("s1", item): _series(1.0) for item in NASTY}, use_case=hashed)
    found = group("hash-0", "hash-1", "hash-2", use_case=hashed)
    assert sum(partition.groups for partition in found.values()) == len(NASTY)
    assert all(partition.groups for partition in found.values())
    assert _sorted(_grouped(lake, use_case=hashed)) == _sorted(rows)


def test_the_manifest_has_the_largest_shard_first(lake: Lake, group: Group) -> None:
    _ingest(lake, {("s1", "a"): _series(1.0), ("s2", "a"): _series(1.0, 2.0, 3.0, None)})
    _ingest(lake, {("s3", "a"): make_series(USE_CASE, "2024-02-01", [None, 1.0, None])}, "w2")
    group("s1", "s2")
    group("s3")
    manifest = read_manifest(USE_CASE, lake)
    assert [(s.partition, s.rows, s.groups) for s in manifest.shards] == [
        ("s2", 4, 1),
        ("s3", 3, 1),
        ("s1", 1, 1),
    ]
    # Of all the raw data, also of partitions that were not grouped along.
    assert {s.data_through for s in manifest.shards} == {"2024-02-02 00:00:00"}
    assert data_through(USE_CASE, lake) == datetime(2024, 2, 2)
    group("s1")
    assert read_manifest(USE_CASE, lake).version == manifest.version + 1


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "holds no row with a sold; materialize raw_data for windows that have data"),
        ({("s1", "a"): _series(None, float("nan"))}, "holds no row with a sold"),
        ({("s1", None): _series(1.0, 2.0)}, r"2 rows of .* have no item; .* COALESCE\(item"),
    ],
)
def test_raw_data_that_cannot_be_grouped_is_refused_with_the_remedy(
    lake: Lake, group: Group, groups: dict[tuple[str, ...], Columns], message: str
) -> None:
    _ingest(lake, {("s1", "a"): _series(1.0)})
    group("s1")
    _ingest(lake, groups)
    with pytest.raises(LakeError, match=message):
        group("s1")
    assert _grouped(lake)["sold"].to_pylist() == [1.0]


def test_raw_data_that_is_not_there_is_to_be_materialized(group: Group) -> None:
    with pytest.raises(LakeError, match="raw_data does not exist; materialize raw_data"):
        group("s1")


def test_windows_from_before_a_column_was_declared_are_refused(lake: Lake, group: Group) -> None:
    _ingest(lake, {("s1", "a"): _series(1.0)}, "old")
    priced = make_use_case(features={"known": ["price"]})
    series = make_series(priced, "2024-01-02", [1.0], price=[2.0])
    _ingest(lake, {("s1", "a"): series}, "new", priced)
    with pytest.raises(LakeError, match=r"window old .* column price; materialize all windows"):
        group("s1", use_case=priced)


@pytest.mark.parametrize("column", ["store", "item", "date", "sold"])
def test_a_file_that_was_changed_is_noticed(
    lake: Lake, group: Group, compare: Callable[..., dict[str, Conservation]], column: str
) -> None:
    _ingest(lake, {("s1", item): _series(1.0, None, 2.0) for item in "ab"})
    _ingest(lake, {("s2", "a"): _series(5.0)}, "w2")
    group("s1", "s2")
    whole = Conservation(6, 6, 6.0, 6.0, 0)
    assert compare("s1", "s2") == {"s1": whole, "s2": Conservation(1, 1, 5.0, 5.0, 0)}
    (shard,) = read_shards(USE_CASE, lake, ["s1"])
    rows = pq.ParquetFile(shard.path).read()
    position = rows.schema.get_field_index(column)
    values = rows[column].to_pylist()
    swapped = pa.array([values[-1], *values[1:-1], values[0]], rows.schema.types[position])
    if column == "store":
        swapped = pa.array([*values[1:], None], pa.string())
    pq.write_table(rows.set_column(position, column, swapped), shard.path)
    file = Path(shard.path)
    file.with_name(f".{file.name}.crc").unlink()  # with it, Hadoop refuses to read the file

    found = compare("s1", "s2")

    assert not found["s1"].holds
    assert found["s2"].holds


def test_a_writer_that_is_killed_leaves_the_old_datasets_and_the_next_run_goes_on(
    lake: Lake, group: Group
) -> None:
    _ingest(lake, {(store, "a"): _series(1.0) for store in ("s1", "s2")})
    group("s1", "s2")
    table = lake.grouped_datasets(USE_CASE)
    version = table.snapshot().version
    new = _ingest(lake, {(store, "a"): _series(2.0, 3.0) for store in ("s1", "s2")})
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, lake.root], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert _grouped(lake)["sold"].to_pylist() == [1.0, 1.0]
    assert table.snapshot().version == version
    staged = {path for path in Path(table.uri).glob("staged-*") if path.is_dir()}
    assert len(staged) == 2

    group("s1", "s2")

    assert _sorted(_grouped(lake)) == _sorted(new)
    left = {path for path in Path(table.uri).glob("staged-*") if path.is_dir()}
    assert len(staged & left) == 1  # what an older version of the table holds
    assert list(Path(table.uri).glob("*.owned")) == []
