"""Champion against challenger on the same data: what the champion would have forecast lately.

A champion that was judged on the very folds of its challenger is compared by those. Otherwise it
forecasts the challenger's latest fold, provided that it had not seen that data when it was trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from pyspark.sql import SparkSession

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.spark.shard_work import ScoredShard
from many_models.core.forecast.backtest import fold_origins
from many_models.core.forecast.use_case import UseCase
from many_models.core.registration import ModelVersion
from many_models.core.sharding import BrokenShard
from many_models.steps.group import read_shards
from many_models.steps.score import by_partition, score_shards


def measure_champions(
    use_case: UseCase,
    champions: Sequence[ModelVersion],
    *,
    spark: SparkSession,
    lake: Lake,
    production: ReadableRegistry,
) -> dict[str, float]:
    """Mean absolute error of these champions in the latest fold, by composite key.

    A champion that has seen that data, or that fails on it, is left out.
    """
    found = by_partition(champions)
    errors: dict[str, float] = {}
    shards = read_shards(use_case, lake, list(found)) if found else []
    for through in sorted({shard.data_through for shard in shards}):
        origin = _latest_origin(use_case, datetime.fromisoformat(through))
        alike = [shard for shard in shards if shard.data_through == through]
        with lake.scratch(use_case, "champion_review") as scratch:
            scored = score_shards(
                use_case, alike, found, origin, scratch.uri, spark=spark, registry=production
            )
            read = [shard for shard in scored if isinstance(shard, ScoredShard)]
            tables = [read_parquet(shard.predictions).to_pandas() for shard in read]
        if not tables:
            continue
        forecasts = pd.concat(tables, ignore_index=True)
        forecasts = forecasts[forecasts["source"] == "model"]
        whole = {shard.partition for shard in alike} - {
            shard.shard.partition for shard in scored if isinstance(shard, BrokenShard)
        }
        actuals = _read_actuals(use_case, sorted(whole), origin, lake)
        errors |= _mean_absolute_errors(use_case, forecasts, actuals)
    return errors


def _latest_origin(use_case: UseCase, through: datetime) -> datetime:
    last = use_case.frequency.to_period(np.array([through], dtype="datetime64[us]"))
    latest = fold_origins(use_case, int(last[0]))[:1]
    origin: datetime = use_case.frequency.to_time(latest)[0].item()
    return origin


def _read_actuals(
    use_case: UseCase, partitions: Sequence[str], origin: datetime, lake: Lake
) -> pd.DataFrame:
    time = use_case.time.column
    columns = [*use_case.keys, time, use_case.target]
    dataset = lake.grouped_datasets(use_case).dataset(sorted(set(partitions)))
    rows = dataset.to_table(columns, filter=ds.field(time) > origin)
    named = rows.rename_columns([*use_case.keys, "time", "actual"])
    frame: pd.DataFrame = named.to_pandas()
    return frame


def _mean_absolute_errors(
    use_case: UseCase, forecasts: pd.DataFrame, actuals: pd.DataFrame
) -> dict[str, float]:
    joined = forecasts.merge(actuals, how="left", on=[*use_case.keys, "time"], indicator=True)
    if use_case.gaps == "zero":
        joined.loc[joined["_merge"] == "left_only", "actual"] = 0.0
    joined["error"] = (joined["prediction"] - joined["actual"]).abs()
    means = joined.groupby("group_key")["error"].mean().dropna()
    return {str(key): float(error) for key, error in means.items()}
