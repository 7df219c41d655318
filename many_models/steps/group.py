"""Group: one dataset per combination of keys, in shards, and the proof that no row got lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from many_models.adapters.lake_tables import Lake
from many_models.adapters.spark_grouping import GroupTotals, total_groups, write_shards
from many_models.core.errors import LakeError
from many_models.core.sharding import Shard
from many_models.core.use_case import UseCase

SUM_TOLERANCE = 1e-9  # relative; sums in another order differ in the last bits


@dataclass(frozen=True, slots=True)
class GroupedPartition:
    """What one partition of ``grouped_datasets`` holds."""

    groups: int
    rows: int
    shards: int


@dataclass(frozen=True, slots=True)
class Conservation:
    """Rows, targets and their sum in one partition, in the raw data and in the grouped datasets.

    ``differing_groups`` counts the groups whose figures differ.
    """

    raw_rows: int
    grouped_rows: int
    raw_sum: float
    grouped_sum: float
    differing_groups: int

    @property
    def holds(self) -> bool:
        return self.differing_groups == 0 and self.raw_rows == self.grouped_rows


def group_partitions(
    use_case: UseCase, partitions: Sequence[str], spark: SparkSession, lake: Lake, run_id: str
) -> dict[str, GroupedPartition]:
    """Make the datasets of these partitions anew, in one Spark job and one atomic commit.

    A partition that the raw data no longer has is emptied.
    """
    raw, grouped = lake.raw_data(use_case), lake.grouped_datasets(use_case)
    totals = total_groups(spark, raw, use_case).of(list(partitions))
    stage = grouped.new_stage()
    files = (
        write_shards(spark, raw, grouped, totals, use_case, stage) if totals.table.num_rows else []
    )
    grouped.commit(files, replace=partitions, run_id=run_id)
    counts: dict[str, GroupedPartition] = {name: GroupedPartition(0, 0, 0) for name in partitions}
    for file in files:
        name, before = file.partition["partition"], counts[file.partition["partition"]]
        groups = before.groups + int(file.partition["shard_groups"])
        counts[name] = GroupedPartition(groups, before.rows + file.rows, before.shards + 1)
    return counts


def read_shards(
    use_case: UseCase, lake: Lake, partitions: Sequence[str] | None = None
) -> list[Shard]:
    """Manifest of the shards of these partitions (of all by default), largest first.

    Raises:
        LakeError: there is none.
    """
    table = lake.grouped_datasets(use_case)
    shards = [
        Shard(
            partition=file.partition["partition"],
            number=int(file.partition["shard"]),
            groups=int(file.partition["shard_groups"]),
            rows=file.rows,
            data_through=file.partition["data_through"],
            path=table.locate(file),
        )
        for file in table.files(partitions)
    ]
    if not shards:
        raise LakeError(f"{table.uri} holds none of the partitions; materialize grouped_datasets")
    return sorted(shards, key=lambda shard: (-shard.rows, shard.partition, shard.number))


def data_through(use_case: UseCase, lake: Lake) -> datetime:
    """Last time with a target in the raw data that the grouped datasets were made from."""
    return max(datetime.fromisoformat(shard.data_through) for shard in read_shards(use_case, lake))


def compare_with_raw(
    use_case: UseCase, partitions: Sequence[str], spark: SparkSession, lake: Lake
) -> dict[str, Conservation]:
    """Count and sum of every group in ``raw_data`` against the committed ``grouped_datasets``."""
    raw = total_groups(spark, lake.raw_data(use_case), use_case)
    grouped = total_groups(spark, lake.grouped_datasets(use_case), use_case)
    return {name: _compare(raw.of([name]), grouped.of([name]), use_case) for name in partitions}


def _compare(raw: GroupTotals, grouped: GroupTotals, use_case: UseCase) -> Conservation:
    keys = list(use_case.keys)
    both = raw.table.join(grouped.table, keys=keys, join_type="full outer", right_suffix="_grouped")
    same = pc.and_(
        pc.equal(both["rows"], both["rows_grouped"]),
        pc.equal(both["target_count"], both["target_count_grouped"]),
    )
    matching = np.isclose(
        both["target_sum"].to_numpy(),
        both["target_sum_grouped"].to_numpy(),
        rtol=SUM_TOLERANCE,
        atol=SUM_TOLERANCE,
    )
    alike = same.fill_null(False).to_numpy() & matching
    return Conservation(
        raw_rows=pc.sum(raw.table["rows"]).as_py() or 0,
        grouped_rows=pc.sum(grouped.table["rows"]).as_py() or 0,
        raw_sum=pc.sum(raw.table["target_sum"]).as_py() or 0.0,
        grouped_sum=pc.sum(grouped.table["target_sum"]).as_py() or 0.0,
        differing_groups=int((~alike).sum()),
    )
