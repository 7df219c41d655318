"""Grouping with Spark: the lake's rows, shuffled and sorted into one file per shard.

One Spark job for however many partitions are asked for. The driver holds one row per group, never the
data's rows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from many_models.adapters.lake import LakeFile, LakeTable
from many_models.core.errors import LakeError
from many_models.core.sharding import assign_shards, partition_of
from many_models.core.use_case import UseCase

logger = logging.getLogger(__name__)

TASKS_MAX = 256


@dataclass(frozen=True)
class GroupTotals:
    """One row per group, sorted by partition and key: ``partition``, the key columns, ``rows``,

    ``target_sum`` (of the finite targets) and ``target_count``; ``data_through`` is the last time with a
    target in any group, of all partitions.
    """

    table: pa.Table
    data_through: str

    @property
    def partitions(self) -> list[str]:
        names: list[str] = self.table["partition"].to_pylist()
        return names

    def of(self, partitions: list[str]) -> GroupTotals:
        keep = pc.is_in(self.table["partition"], value_set=pa.array(partitions, pa.string()))
        return GroupTotals(self.table.filter(keep), self.data_through)


def total_groups(spark: SparkSession, table: LakeTable, use_case: UseCase) -> GroupTotals:
    """Totals of every group in a lake table with the source's columns.

    Raises:
        LakeError: the table is empty, or a key column holds nulls.
    """
    target = F.col(use_case.target)
    usable = target.isNotNull() & ~F.isnan(target)
    finite = usable & (F.abs(target) != float("inf"))
    totals = (
        read_table(spark, table)
        .groupBy(*use_case.keys)
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.coalesce(F.sum(F.when(finite, target)), F.lit(0.0)).alias("target_sum"),
            F.count(F.when(usable, 1)).alias("target_count"),
            F.max(F.when(usable, F.col(use_case.time.column))).alias("last_time"),
        )
        .toArrow()
    )
    for name in use_case.keys:
        if nulls := pc.sum(pc.filter(totals["rows"], pc.is_null(totals[name]))).as_py():
            raise LakeError(
                f"{nulls} rows of {table.uri} have no {name}; give them a value in the source query, "
                f"such as COALESCE({name}, 'UNKNOWN'), and materialize raw_data again"
            )
    through = pc.max(totals["last_time"]).as_py()
    if through is None:
        raise LakeError(
            f"{table.uri} holds no row with a {use_case.target}; materialize raw_data for windows "
            "that have data, or look at source.start and source.query"
        )
    keys = list(zip(*(totals[name].to_pylist() for name in use_case.keys), strict=True))
    partitions = pa.array([partition_of(key, use_case) for key in keys], pa.string())
    order = [(name, "ascending") for name in ("partition", *use_case.keys)]
    ordered = totals.append_column("partition", partitions).sort_by(order)
    return GroupTotals(ordered, through.isoformat(sep=" "))


def write_shards(
    spark: SparkSession,
    raw: LakeTable,
    grouped: LakeTable,
    totals: GroupTotals,
    use_case: UseCase,
    stage: str,
) -> list[LakeFile]:
    """Write the groups in ``totals`` below ``stage``: one Parquet file a shard, sorted by key and time."""
    shards = assign_shards(totals.partitions, totals.table["rows"].to_numpy())
    count = int(shards.max()) + 1
    logger.info("grouping %d groups into %d shards", len(shards), count)
    assignment = totals.table.select(list(use_case.keys)).append_column("shard", pa.array(shards))
    rows = read_table(spark, raw).join(
        F.broadcast(spark.createDataFrame(assignment)), on=list(use_case.keys), how="inner"
    )
    (
        rows.repartition(min(count, TASKS_MAX), "shard")
        .sortWithinPartitions("shard", *use_case.keys, use_case.time.column)
        .write.partitionBy("shard")
        .parquet(grouped.locate_path(stage))
    )
    partition_of_shard = dict(zip(shards.tolist(), totals.partitions, strict=True))
    group_counts = np.bincount(shards)
    row_counts = np.bincount(shards, weights=totals.table["rows"].to_numpy()).astype(int)
    return [
        LakeFile(
            path=path,
            size=size,
            rows=int(row_counts[number]),
            partition={
                "partition": partition_of_shard[number],
                "shard": str(number),
                "shard_groups": str(group_counts[number]),
                "data_through": totals.data_through,
            },
        )
        for path, size in grouped.staged_files(stage)
        for number in [int(path.rsplit("shard=", 1)[1].split("/", 1)[0])]
    ]


def read_table(spark: SparkSession, table: LakeTable) -> DataFrame:
    """The latest version of a lake table, without its partition columns."""
    files = [table.locate(file) for file in table.files()]
    if not files:
        raise LakeError(f"{table.uri} is empty; materialize raw_data for windows that have data")
    return spark.read.parquet(*files)
