"""Group: one dataset per combination of keys, in shards, and the proof that no row got lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from many_models.adapters.lake.delta_table import LakeFile, LakeTable, Snapshot
from many_models.adapters.lake.tables import Lake
from many_models.adapters.spark.grouping import (
    CHECKSUM,
    GroupTotals,
    read_table,
    total_groups,
    write_shards,
)
from many_models.core.errors import LakeError, ManyModelsError, raise_failed
from many_models.core.lake_schema import WINDOW
from many_models.core.sharding import Shard
from many_models.core.use_case import AnyUseCase

DIFFERS = "differs from raw"  # no column of a source can be called so


@dataclass(frozen=True, slots=True)
class GroupedPartition:
    """What one partition of ``grouped_datasets`` holds."""

    groups: int
    rows: int
    shards: int


@dataclass(frozen=True, slots=True)
class Conservation:
    """Rows and targets' sum of one partition, in the raw data and in the grouped datasets.

    ``differing_groups`` counts the groups whose rows are not the same, whatever their order.
    """

    raw_rows: int
    grouped_rows: int
    raw_sum: float
    grouped_sum: float
    differing_groups: int

    @property
    def holds(self) -> bool:
        return self.differing_groups == 0 and self.raw_rows == self.grouped_rows


@dataclass(frozen=True)
class Manifest:
    """Shards, largest first, and the version of ``grouped_datasets`` that they belong to."""

    version: int
    shards: list[Shard]


def group_partitions(
    use_case: AnyUseCase, partitions: Sequence[str], spark: SparkSession, lake: Lake, run_id: str
) -> dict[str, GroupedPartition]:
    """Make the datasets of these partitions anew, in one Spark job and one atomic commit.

    A partition that the raw data no longer has is emptied.

    Raises:
        LakeError: the raw data is empty, lacks a column or a key, or has no target at all.
        PartitionsError: some of several partitions have rows without a key; they stay as they are.
    """
    raw, grouped = lake.raw_data(use_case), lake.grouped_datasets(use_case)
    snapshot = raw.snapshot()
    _require_columns(raw, snapshot)
    rows = read_table(spark, raw, snapshot)
    totals = total_groups(rows, use_case)
    errors = _find_missing_keys(totals, partitions, raw, use_case)
    through = totals.data_through
    if through is None:
        raise LakeError(
            f"{raw.uri} holds no row with a {use_case.target}; materialize raw_data for windows "
            "that have data, or look at source.start and source.query"
        )
    asked, partitions = len(partitions), [name for name in partitions if name not in errors]
    if not partitions:
        raise_failed(errors, {}, asked)
    chosen = totals.of(partitions)

    def write(stage: str) -> list[LakeFile]:
        if not chosen.partitions:
            return []
        return write_shards(rows, chosen, through, grouped, use_case, stage)

    done = _count(grouped.replace_files(partitions, write, run_id), partitions)
    raise_failed(errors, done, asked)
    return done


def _require_columns(raw: LakeTable, snapshot: Snapshot) -> None:
    declared = {field.name for field in raw.schema} - {WINDOW}
    for file in snapshot.files:
        if missing := declared - file.nulls.keys():
            raise LakeError(
                f"window {file.partition[WINDOW]} of {raw.uri} was extracted before the use case "
                f"had the column {sorted(missing)[0]}; materialize all windows of raw_data again"
            )


def _find_missing_keys(
    totals: GroupTotals, partitions: Sequence[str], raw: LakeTable, use_case: AnyUseCase
) -> dict[str, ManyModelsError]:
    """Partitions with rows that lack a key.

    Raises:
        LakeError: nobody knows whose rows they are, as that key says which partition they are of.
    """
    found: dict[str, ManyModelsError] = {}
    for name in use_case.keys:
        lacking = totals.table.filter(pc.is_null(totals.table[name]))
        for partition in lacking["partition"].unique().to_pylist():
            rows = lacking.filter(pc.equal(lacking["partition"], partition))["rows"]
            error = LakeError(
                f"{pc.sum(rows).as_py()} rows of {raw.uri} have no {name}; give them a value in "
                f"the source query, such as COALESCE({name}, 'UNKNOWN'), and materialize raw_data "
                "again"
            )
            if use_case.partitioning.by in (None, name):
                raise error
            if partition in partitions:
                found.setdefault(partition, error)
    return found


def _count(files: Sequence[LakeFile], partitions: Sequence[str]) -> dict[str, GroupedPartition]:
    counts = {name: GroupedPartition(0, 0, 0) for name in partitions}
    for file in files:
        name = file.partition["partition"]
        before, groups = counts[name], int(file.partition["shard_groups"])
        counts[name] = GroupedPartition(
            before.groups + groups, before.rows + file.rows, before.shards + 1
        )
    return counts


def read_manifest(
    use_case: AnyUseCase, lake: Lake, partitions: Sequence[str] | None = None
) -> Manifest:
    """Shards of these partitions (of all by default) in the latest ``grouped_datasets``.

    Raises:
        LakeError: there is none.
    """
    table = lake.grouped_datasets(use_case)
    snapshot = table.snapshot(partitions)
    shards = [
        Shard(
            partition=file.partition["partition"],
            number=int(file.partition["shard"]),
            groups=int(file.partition["shard_groups"]),
            rows=file.rows,
            data_through=file.partition["data_through"],
            path=table.locate(file.path),
        )
        for file in snapshot.files
    ]
    if not shards:
        raise LakeError(f"{table.uri} holds none of the partitions; materialize grouped_datasets")
    ordered = sorted(shards, key=lambda shard: (-shard.rows, shard.partition, shard.number))
    return Manifest(snapshot.version, ordered)


def read_shards(
    use_case: AnyUseCase, lake: Lake, partitions: Sequence[str] | None = None
) -> list[Shard]:
    """The shards of ``read_manifest``."""
    return read_manifest(use_case, lake, partitions).shards


def data_through(use_case: AnyUseCase, lake: Lake) -> datetime:
    """Last time with a target in the raw data that the grouped datasets were made from."""
    return max(datetime.fromisoformat(shard.data_through) for shard in read_shards(use_case, lake))


def compare_with_raw(
    use_case: AnyUseCase, partitions: Sequence[str], spark: SparkSession, lake: Lake
) -> dict[str, Conservation]:
    """Every group of these partitions in ``raw_data`` and in the committed ``grouped_datasets``.

    A file that cannot be read counts as empty, so that its partition differs and no other.
    """
    grouped = lake.grouped_datasets(use_case)
    committed = read_table(spark, grouped, grouped.snapshot(partitions), skip_unreadable=True)
    both = _join(
        total_groups(read_table(spark, lake.raw_data(use_case)), use_case).of(partitions),
        total_groups(committed, use_case),
        use_case,
    )
    figures = ["rows", "rows_grouped", "target_sum", "target_sum_grouped", DIFFERS]
    totals = both.group_by("partition").aggregate([(name, "sum") for name in figures]).to_pylist()
    found = {
        total["partition"]: Conservation(
            raw_rows=total["rows_sum"] or 0,
            grouped_rows=total["rows_grouped_sum"] or 0,
            raw_sum=total["target_sum_sum"] or 0.0,
            grouped_sum=total["target_sum_grouped_sum"] or 0.0,
            differing_groups=total[f"{DIFFERS}_sum"],
        )
        for total in totals
    }
    return {name: found.get(name, Conservation(0, 0, 0.0, 0.0, 0)) for name in partitions}


def _join(raw: GroupTotals, grouped: GroupTotals, use_case: AnyUseCase) -> pa.Table:
    """Both totals of each group side by side, and in ``DIFFERS`` 1 where they are not the same."""
    keys = ["partition", *use_case.keys]
    both = raw.table.join(grouped.table, keys=keys, join_type="full outer", right_suffix="_grouped")
    same = pc.and_(
        pc.equal(both["rows"], both["rows_grouped"]),
        pc.equal(both[CHECKSUM], both[f"{CHECKSUM}_grouped"]),
    )
    return both.append_column(DIFFERS, pc.invert(same.fill_null(False)).cast(pa.int64()))
