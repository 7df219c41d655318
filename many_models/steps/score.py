"""Score: forecasts of every group at one origin, from its champion or from the baseline."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pyspark.sql import SparkSession

from many_models.adapters.arrow_files import delete_folder, stream_parquet
from many_models.adapters.lake_tables import Lake
from many_models.adapters.mlflow_registry import MlflowRegistry
from many_models.adapters.shard_work import ScoringTask, score_task
from many_models.adapters.spark_shards import Progress, run_tasks
from many_models.core.registration import PARTITION_TAG, ModelVersion
from many_models.core.scoring import prediction_schema, scoring_schema
from many_models.core.use_case import UseCase
from many_models.steps.group import read_shards
from many_models.steps.results import Results

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScoredOrigin:
    """What one forecast origin got: groups by the source that served them, and rows written."""

    groups: int
    by_model: int
    by_baseline: int
    unserved: int
    rows: int


def score_origin(
    use_case: UseCase,
    origin: datetime,
    run_id: str,
    *,
    spark: SparkSession,
    lake: Lake,
    production: MlflowRegistry,
    results: Results,
) -> ScoredOrigin:
    """Forecast the horizon after ``origin`` for every group, and replace that origin's slice."""
    shards = read_shards(use_case, lake)
    champions = find_champions(use_case, production)
    tasks = [ScoringTask(shard, champions.get(shard.partition, {})) for shard in shards]
    folder = lake.scratch(use_case, run_id)
    groups = sum(shard.groups for shard in shards)
    scored = run_tasks(
        spark,
        tasks,
        partial(score_task, use_case=use_case, folder=folder, origin=origin.isoformat()),
        lambda task: task.shard.groups,
        Progress("scored", groups),
    )
    slice_of = {"origin": origin.isoformat(sep=" ")}
    ledger = stream_parquet([shard.ledger for shard in scored], scoring_schema(use_case))
    results.replace("scoring", ledger, slice_of)
    predictions = stream_parquet([s.predictions for s in scored], prediction_schema(use_case))
    rows = results.replace("predictions", predictions, slice_of)
    delete_folder(folder)
    sources = sum((Counter(shard.sources) for shard in scored), Counter())
    return ScoredOrigin(groups, sources["model"], sources["baseline"], sources["none"], rows)


def find_champions(
    use_case: UseCase, production: MlflowRegistry
) -> dict[str, dict[str, ModelVersion]]:
    """Production versions by partition and composite key, found by their tags."""
    found: dict[str, dict[str, ModelVersion]] = {}
    for version in production.champions(use_case.name):
        by_key = found.setdefault(version.tags[PARTITION_TAG], {})
        by_key[version.tags["partition_key"]] = version
    return found
