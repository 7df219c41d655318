"""What Spark tasks do for pooled models: sample the rows of shards, then fit a partition's model.

Runs on the executors, so it imports neither Spark nor MLflow. Results are handed over as files.
"""

from __future__ import annotations

import pickle
import time
import uuid
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.adapters.lake.arrow_files import read_parquet, write_parquet
from many_models.adapters.lake.shard_files import read_shard
from many_models.core.forecast.pooled.contender import PooledFits, fit_folds
from many_models.core.forecast.pooled.model import make_pooled_model
from many_models.core.forecast.pooled.sampling import sample_rows
from many_models.core.forecast.use_case import UseCase
from many_models.core.payload import dump_payload
from many_models.core.sharding import BrokenShard, Shard


@dataclass(frozen=True, slots=True)
class SamplingTask:
    """A shard of a partition that has ``groups`` in all."""

    shard: Shard
    groups: int


@dataclass(frozen=True, slots=True)
class FittingTask:
    """Files with a partition's sampled rows."""

    partition: str
    data_through: str
    groups: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PooledResult:
    """A partition's pooled model: the files of its ``fits`` and of its ``payload``.

    ``groups`` and ``rows`` are what it has learnt from, ``seconds`` what fitting took; ``coverage``
    is of its intervals in the backtest.
    """

    partition: str
    data_through: str
    fits: str
    payload: str
    groups: int
    rows: int
    coverage: float
    seconds: float


def sample_task(task: SamplingTask, use_case: UseCase, folder: str) -> str | None:
    """Leave a shard's sampled rows in ``folder``; returns their file, None of a broken shard."""
    shard = read_shard(task.shard)
    if isinstance(shard, BrokenShard):
        return None
    rows = sample_rows(
        shard,
        use_case,
        trained_through=np.datetime64(task.shard.data_through),
        groups=task.groups,
    )
    path = f"{folder}/sampled-{task.shard.number}-{uuid.uuid4().hex}.parquet"
    write_parquet(rows, path)
    return path


def fit_task(task: FittingTask, use_case: UseCase, folder: str) -> PooledResult | None:
    """Fit a partition's model; None where there is too little to learn from."""
    started = time.perf_counter()
    rows = pa.concat_tables([read_parquet(path) for path in task.samples]).unify_dictionaries()
    through = np.array([np.datetime64(task.data_through)])
    fits = fit_folds(rows, use_case, int(use_case.frequency.to_period(through)[0]))
    if fits is None:
        return None
    model = make_pooled_model(rows, fits, use_case, task.partition)
    return PooledResult(
        partition=task.partition,
        data_through=task.data_through,
        fits=_write(pickle.dumps(fits), folder),
        payload=_write(dump_payload(model)[0], folder),
        groups=fits.final.groups,
        rows=fits.final.rows,
        coverage=model.coverage,
        seconds=time.perf_counter() - started,
    )


def read_fits(path: str) -> PooledFits:
    """A partition's fits, as ``fit_task`` has left them."""
    fits = pickle.loads(read_bytes(path))
    assert isinstance(fits, PooledFits)  # this run's own file
    return fits


def read_bytes(path: str) -> bytes:
    """What ``fit_task`` has left in a file."""
    content: bytes = read_parquet(path)["content"][0].as_py()
    return content


def _write(content: bytes, folder: str) -> str:
    path = f"{folder}/pooled-{uuid.uuid4().hex}.parquet"
    write_parquet(pa.table({"content": pa.array([content], pa.binary())}), path)
    return path
