"""What a Spark task does to compare challengers with champions on a shard's rows.

Runs on the executors, so it imports neither Spark nor MLflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from many_models.adapters.lake.arrow_files import read_parquet, write_parquet
from many_models.adapters.spark.shard_work import ListedChampions
from many_models.core.sharding import Shard
from many_models.core.tabular.rivalry import Rival, compare_shard
from many_models.core.tabular.use_case import TabularUseCase


@dataclass(frozen=True, slots=True)
class RivalTask:
    """A shard, and the files that list its partition's rivals and the champions that they face."""

    shard: Shard
    rivals: str
    champions: str


@dataclass(frozen=True, slots=True)
class RivalRun:
    """What all tasks share; ``registry_uri`` is that of an MLflow server that hands out payloads,
    where one does."""

    use_case: TabularUseCase
    registry_uri: str | None


def compare_task(task: RivalTask, run: RivalRun) -> pa.Table:
    """One row of figures for each rival whose group is in the shard."""
    return compare_shard(
        read_parquet(task.shard.path),
        _read_rivals(task.rivals),
        ListedChampions(task.champions, run.registry_uri),
        run.use_case,
    )


def write_rivals(rivals: Sequence[Rival], path: str) -> None:
    """List a partition's rivals, for its tasks to look theirs up."""
    columns = {
        "group_key": [rival.group_key for rival in rivals],
        "candidate": [rival.candidate for rival in rivals],
        "trained_through": pa.array([r.trained_through for r in rivals], pa.timestamp("us")),
    }
    write_parquet(pa.table(columns), path)


def _read_rivals(path: str) -> dict[str, Rival]:
    table = read_parquet(path)
    times = table["trained_through"].to_numpy()
    rows = zip(table["group_key"].to_pylist(), table["candidate"].to_pylist(), times, strict=True)
    return {key: Rival(key, candidate, through) for key, candidate, through in rows}
