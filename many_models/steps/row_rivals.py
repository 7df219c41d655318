"""Champion against challenger where rows are independent: both measured anew on the same rows.

Which rows these are is in ``core.tabular.rivalry``; here is how they get there, in Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.connection import is_database
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.spark.rival_work import RivalRun, RivalTask, compare_task, write_rivals
from many_models.adapters.spark.shard_work import write_champions
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.registration import ModelVersion
from many_models.core.tabular.rivalry import Duel, Rival
from many_models.core.tabular.use_case import TabularUseCase
from many_models.steps.group import read_shards


def compare_on_rows(
    use_case: TabularUseCase,
    rivals: Sequence[tuple[dict[str, Any], ModelVersion]],
    *,
    spark: SparkSession,
    lake: Lake,
    production: ReadableRegistry,
) -> dict[str, Duel]:
    """Figures of rivals (a ledger's row, and the champion that it must beat), by composite key."""
    by_partition: dict[str, list[tuple[dict[str, Any], ModelVersion]]] = {}
    for row, champion in rivals:
        by_partition.setdefault(row["partition"], []).append((row, champion))
    shards = read_shards(use_case, lake, list(by_partition)) if by_partition else []
    registry_uri = None if is_database(production.uri) else production.uri
    with lake.scratch(use_case, "rivals") as scratch:
        files: dict[str, tuple[str, str]] = {}
        for number, (partition, found) in enumerate(by_partition.items()):
            files[partition] = _files(scratch.uri, number)
            write_rivals([_rival(row) for row, _ in found], files[partition][0])
            write_champions({row["group_key"]: c for row, c in found}, files[partition][1])
        tables = run_tasks(
            spark,
            [RivalTask(shard, *files[shard.partition]) for shard in shards],
            partial(compare_task, run=RivalRun(use_case, registry_uri)),
            lambda task: task.shard.groups,
            Progress("compared with champions", sum(shard.groups for shard in shards)),
        )
    duels = (Duel(**row) for table in tables for row in table.to_pylist())
    return {duel.group_key: duel for duel in duels}


def _files(folder: str, number: int) -> tuple[str, str]:
    return f"{folder}/rivals-{number}.parquet", f"{folder}/champions-{number}.parquet"


def _rival(row: dict[str, Any]) -> Rival:
    return Rival(row["group_key"], row["candidate"], np.datetime64(row["trained_through"]))
