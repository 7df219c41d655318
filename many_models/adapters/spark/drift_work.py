"""What a Spark task does to find data drift in some shards: read each, call ``core``, write a file.

Runs on the executors, so it imports neither Spark nor MLflow.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.adapters.lake.arrow_files import read_parquet, write_parquet
from many_models.core.sharding import Shard
from many_models.core.shifted_rows import measure_shifts
from many_models.core.use_case import AnyUseCase


@dataclass(frozen=True, slots=True)
class DriftTask:
    """Some shards, and by partition the file that says when its champions were trained."""

    shards: tuple[Shard, ...]
    champions: Mapping[str, str]

    @property
    def groups(self) -> int:
        return sum(shard.groups for shard in self.shards)


def write_trained_through(trained_through: Mapping[str, np.datetime64], path: str) -> None:
    """List a partition's champions by composite key, with the last time that each has seen."""
    times = pa.array(list(trained_through.values()), pa.timestamp("us"))
    write_parquet(pa.table({"group_key": list(trained_through), "time": times}), path)


def measure_shifts_task(task: DriftTask, use_case: AnyUseCase, folder: str) -> str:
    """Measure the groups of a task's shards; returns where the rows lie, in ``SHIFT_SCHEMA``."""
    found = [
        measure_shifts(
            read_parquet(shard.path),
            use_case,
            _read_trained_through(task.champions[shard.partition]),
            np.datetime64(shard.data_through),
        )
        for shard in task.shards
    ]
    path = f"{folder}/shifts-{uuid.uuid4().hex}.parquet"
    write_parquet(pa.concat_tables(found), path)
    return path


def _read_trained_through(path: str) -> dict[str, np.datetime64]:
    table = read_parquet(path)
    return dict(zip(table["group_key"].to_pylist(), table["time"].to_numpy(), strict=True))
