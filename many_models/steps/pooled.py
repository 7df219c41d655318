"""Pooled models: one for each partition that is large enough, fitted before its groups are trained.

Here belong fitting it in Spark, judging it by its groups' backtests, and registering it. What a
group makes of it is in ``train`` and ``score``.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from many_models import __version__
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.spark.pooled_work import (
    FittingTask,
    PooledResult,
    SamplingTask,
    fit_task,
    read_bytes,
    sample_task,
)
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.config_version import config_version
from many_models.core.forecast.backtest import fold_origins
from many_models.core.forecast.pooled.model import load_pooled
from many_models.core.forecast.use_case import BASELINE, POOLED, UseCase
from many_models.core.keys import pooled_name
from many_models.core.registration import (
    CANDIDATE_TAG,
    DAGSTER_RUN_TAG,
    PARTITION_TAG,
    POOLED_TAG,
    USE_CASE_TAG,
    ModelRecord,
    ModelVersion,
)
from many_models.core.result_tables.fact_schemas import pooled_schema
from many_models.core.sharding import Shard
from many_models.core.use_case import AnyUseCase
from many_models.steps.ledger import Run

FIGURES = ("score", "baseline_score", "share_better", "coverage")


def fit_pooled_models(
    use_case: AnyUseCase, shards: Sequence[Shard], folder: str, spark: SparkSession
) -> dict[str, PooledResult]:
    """Pooled models, by partition, of those that get one; files are left in ``folder``."""
    if not isinstance(use_case, UseCase):
        return {}
    groups: Counter[str] = Counter()
    for shard in shards:
        groups[shard.partition] += shard.groups
    chosen = [shard for shard in shards if use_case.wants_pooled(groups[shard.partition])]
    samples = run_tasks(
        spark,
        [SamplingTask(shard, groups[shard.partition]) for shard in chosen],
        partial(sample_task, use_case=use_case, folder=folder),
        lambda task: task.shard.groups,
        Progress("sampled", sum(shard.groups for shard in chosen)),
    )
    tasks = list(_by_partition(chosen, samples, groups))
    fitted = run_tasks(
        spark,
        tasks,
        partial(fit_task, use_case=use_case, folder=folder),
        lambda task: task.groups,
        Progress("pooled", sum(task.groups for task in tasks)),
    )
    return {result.partition: result for result in fitted if result is not None}


def _by_partition(
    shards: Sequence[Shard], samples: Sequence[str | None], groups: Mapping[str, int]
) -> Iterator[FittingTask]:
    """Tasks of partitions all of whose shards could be read: the others fail in training."""
    broken = {s.partition for s, path in zip(shards, samples, strict=True) if path is None}
    paths: dict[str, list[str]] = {}
    through: dict[str, str] = {}
    for shard, path in zip(shards, samples, strict=True):
        if path is None or shard.partition in broken:
            continue
        paths.setdefault(shard.partition, []).append(path)
        through.setdefault(shard.partition, shard.data_through)
    for partition, own in paths.items():
        yield FittingTask(partition, through[partition], groups[partition], tuple(own))


def register_pooled_models(
    use_case: AnyUseCase,
    fitted: Mapping[str, PooledResult],
    ledger: pa.Table,
    run: Run,
    data_version: int,
    registry: MlflowRegistry,
) -> pa.Table:
    """Register pooled models with the scores that they have in the ledger's backtests.

    Returns:
        One row for each, in ``pooled_schema``.
    """
    if not isinstance(use_case, UseCase) or not fitted:
        return pooled_schema().empty_table()
    scores = _read_scores(ledger)
    rows = [
        _row(use_case, fitted[partition], scores.get(partition, []), run)
        for partition in sorted(fitted)
    ]
    records = (
        _record(use_case, row, read_bytes(fitted[row["partition"]].payload), run, data_version)
        for row in rows
    )
    first = load_pooled(read_bytes(fitted[rows[0]["partition"]].payload))
    outcomes = registry.register(records, example=first.example(), total=len(rows))
    registered = [
        {
            **row,
            "model_name": outcome.name,
            "model_version": outcome.version if isinstance(outcome, ModelVersion) else None,
            "model_run_id": outcome.run_id if isinstance(outcome, ModelVersion) else None,
            "error": None if isinstance(outcome, ModelVersion) else outcome.error,
        }
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    return pa.Table.from_pylist(registered, schema=pooled_schema())


def _record(
    use_case: UseCase, row: Mapping[str, Any], payload: bytes, run: Run, data_version: int
) -> ModelRecord:
    figures = {name: row[name] for name in FIGURES}
    return ModelRecord(
        name=pooled_name(use_case.name, row["partition"]),
        payload=payload,
        metrics={name: value for name, value in figures.items() if value is not None},
        params={
            "candidate": POOLED,
            "horizon": str(use_case.horizon),
            "groups": str(row["groups"]),
            "rows": str(row["rows"]),
        },
        tags=_tags(use_case, row, run, data_version),
    )


def _read_scores(ledger: pa.Table) -> dict[str, list[tuple[float, float]]]:
    """Scores of the pooled model and the baseline of the groups that have both, by partition."""
    found: dict[str, list[tuple[float, float]]] = {}
    columns = (ledger[name].to_pylist() for name in ("partition", "candidate_scores"))
    for partition, text in zip(*columns, strict=True):
        scores = json.loads(text) if text else {}
        if POOLED in scores and BASELINE in scores:
            found.setdefault(partition, []).append((scores[POOLED], scores[BASELINE]))
    return found


def _row(
    use_case: UseCase, result: PooledResult, scores: Sequence[tuple[float, float]], run: Run
) -> dict[str, Any]:
    through = np.array([np.datetime64(result.data_through)])
    origin = use_case.frequency.to_period(through)
    oldest = fold_origins(use_case, int(origin[0]))[-1:]
    own, baseline = np.array(scores).T if scores else (None, None)
    return {
        "run_id": run.run_id,
        "trained_at": run.started.replace(tzinfo=None),
        "partition": result.partition,
        "groups": result.groups,
        "rows": result.rows,
        "groups_judged": len(scores),
        "score": None if own is None else float(np.median(own)),
        "baseline_score": None if baseline is None else float(np.median(baseline)),
        "share_better": None if own is None else float((own < baseline).mean()),
        "coverage": None if math.isnan(result.coverage) else result.coverage,
        "evaluated_from": use_case.frequency.to_time(oldest + 1)[0].item(),
        "trained_through": use_case.frequency.to_time(origin)[0].item(),
        "seconds": result.seconds,
    }


def _tags(use_case: UseCase, row: Mapping[str, Any], run: Run, data_version: int) -> dict[str, str]:
    return {
        USE_CASE_TAG: use_case.name,
        PARTITION_TAG: row["partition"],
        POOLED_TAG: "true",
        CANDIDATE_TAG: POOLED,
        "score": repr(row["score"]),
        "metric": use_case.metric,
        "evaluated_from": str(row["evaluated_from"]),
        "trained_through": str(row["trained_through"]),
        "data_version": str(data_version),
        "code_version": __version__,
        "config_version": config_version(use_case),
        DAGSTER_RUN_TAG: run.run_id,
    }
