"""Grouping with Spark: the lake's rows, shuffled and sorted into one file per shard.

One Spark job for however many partitions are asked for. The driver holds one row per group, never
the data's rows.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from many_models.adapters.lake.delta_table import LakeFile, LakeTable, Snapshot
from many_models.core.sharding import assign_shards, partition_of
from many_models.core.use_case import AnyUseCase

logger = logging.getLogger(__name__)

TASKS_MAX = 256
CHECKSUM = "checksum of rows"  # no column of a source can be called so
SPARK_TYPES = {
    pa.string(): "string",
    pa.float64(): "double",
    pa.timestamp("us"): "timestamp_ntz",
}
_GLOB = re.compile(r"([\\*?\[\]{}])")


@dataclass(frozen=True)
class GroupTotals:
    """One row per group, sorted by partition and key.

    Columns: ``partition``, the key columns, ``rows``, ``target_sum`` (of the finite targets;
    zero where they are text),
    ``last_time`` (the last one with a target) and ``CHECKSUM``, which any change of a row changes
    and their order does not.
    """

    table: pa.Table

    @property
    def partitions(self) -> list[str]:
        names: list[str] = self.table["partition"].to_pylist()
        return names

    @property
    def data_through(self) -> datetime | None:
        """Last time with a target in any of the groups."""
        found: datetime | None = pc.max(self.table["last_time"]).as_py()
        return found

    def of(self, partitions: Sequence[str]) -> GroupTotals:
        wanted = pa.array(list(partitions), pa.string())
        return GroupTotals(self.table.filter(pc.is_in(self.table["partition"], value_set=wanted)))


def read_table(
    spark: SparkSession,
    table: LakeTable,
    snapshot: Snapshot | None = None,
    *,
    skip_unreadable: bool = False,
) -> DataFrame:
    """Rows of a lake table (of its latest version by default) without its partition columns.

    With ``skip_unreadable`` a file that is missing or damaged has no rows; otherwise it is an
    error.
    """
    chosen = table.snapshot() if snapshot is None else snapshot
    columns = [f for f in table.schema if f.name not in table.partition_by]
    schema = ", ".join(f"`{field.name}` {SPARK_TYPES[field.type]}" for field in columns)
    if not chosen.files:
        return spark.createDataFrame([], schema)
    # Spark takes a path for a pattern.
    paths = [_GLOB.sub(r"\\\1", table.locate(file.path)) for file in chosen.files]
    reader = spark.read.schema(schema)
    if skip_unreadable:
        reader = reader.option("ignoreCorruptFiles", True).option("ignoreMissingFiles", True)
    return reader.parquet(*paths)


def total_groups(rows: DataFrame, use_case: AnyUseCase) -> GroupTotals:
    """Totals of every group in rows with the source's columns; a null key is a group of its own."""
    target = sf.col(use_case.target)
    is_number = use_case.target_is_number
    usable = target.isNotNull() & ~sf.isnan(target) if is_number else target.isNotNull()
    finite = usable & (sf.abs(target) != float("inf")) if is_number else sf.lit(False)
    number = target if is_number else sf.lit(0.0)
    totals = (
        rows.groupBy(*use_case.keys)
        .agg(
            sf.count(sf.lit(1)).alias("rows"),
            sf.coalesce(sf.sum(sf.when(finite, number)), sf.lit(0.0)).alias("target_sum"),
            sf.max(sf.when(usable, sf.col(use_case.time.column))).alias("last_time"),
            sf.bit_xor(sf.xxhash64(*use_case.columns)).alias(CHECKSUM),
        )
        .toArrow()
    )
    keys = zip(*(totals[name].fill_null("").to_pylist() for name in use_case.keys), strict=True)
    partitions = pa.array([partition_of(key, use_case) for key in keys], pa.string())
    order = [(name, "ascending") for name in ("partition", *use_case.keys)]
    return GroupTotals(totals.append_column("partition", partitions).sort_by(order))


def write_shards(
    rows: DataFrame,
    totals: GroupTotals,
    data_through: datetime,
    grouped: LakeTable,
    use_case: AnyUseCase,
    stage: str,
) -> list[LakeFile]:
    """Write those of ``rows`` whose group is in ``totals`` below ``stage``, one file a shard.

    Files are sorted by key and time. ``data_through`` is the last time with a target in any group,
    also of partitions that are not in ``totals``.
    """
    counts = totals.table["rows"].to_numpy()
    shards = assign_shards(totals.partitions, counts)
    number_of_shards = int(shards.max()) + 1
    logger.info("grouping %d groups into %d shards", len(shards), number_of_shards)
    keys = list(use_case.keys)
    assignment = totals.table.select(keys).append_column("shard", pa.array(shards))
    tasks = min(number_of_shards, TASKS_MAX)
    (
        rows.join(sf.broadcast(rows.sparkSession.createDataFrame(assignment)), on=keys)
        .repartitionById(tasks, (sf.col("shard") % tasks).cast("int"))
        .sortWithinPartitions("shard", *keys, use_case.time.column)
        .write.partitionBy("shard")
        .parquet(grouped.locate(stage))
    )
    partition_of_shard = dict(zip(shards.tolist(), totals.partitions, strict=True))
    group_counts = np.bincount(shards)
    row_counts = np.bincount(shards, weights=counts).astype(int)
    return [
        LakeFile(
            path=path,
            size=size,
            rows=int(row_counts[number]),
            partition={
                "partition": partition_of_shard[number],
                "shard": str(number),
                "shard_groups": str(group_counts[number]),
                "data_through": data_through.isoformat(sep=" "),
            },
        )
        for path, size in grouped.staged_files(stage)
        for number in [int(path.rsplit("shard=", 1)[1].split("/", 1)[0])]
    ]
