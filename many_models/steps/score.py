"""Score: forecasts of every group at one origin, from its champion or a stand-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from many_models.adapters.lake.arrow_files import read_parquet, stream_parquet
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.connection import is_database
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.spark.shard_work import (
    ScoredShard,
    ScoringRun,
    ScoringTask,
    score_task,
    write_champions,
)
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.forecast.pooled.stand_in import POOLED_KEY
from many_models.core.registration import PARTITION_KEY_TAG, PARTITION_TAG, ModelVersion
from many_models.core.shapes import shape_of
from many_models.core.sharding import BrokenShard, Shard
from many_models.core.use_case import AnyUseCase
from many_models.steps.champions import mend_champions
from many_models.steps.group import read_shards
from many_models.steps.lost_groups import list_lost
from many_models.steps.results import Results, Where, write_dates


@dataclass(frozen=True, slots=True)
class ScoredOrigin:
    """What one forecast origin got: groups by the source that served them, and rows written."""

    groups: int
    by_model: int
    by_pooled: int
    by_baseline: int
    unserved: int
    rows: int


def score_origin(
    use_case: AnyUseCase,
    origin: datetime,
    run_id: str,
    *,
    spark: SparkSession,
    lake: Lake,
    production: ReadableRegistry,
    results: Results,
) -> ScoredOrigin:
    """Forecast the horizon after ``origin`` for every group, and replace that origin's slice.

    The groups of a shard that cannot be read get no forecast, but a row that says so.
    """
    shards = read_shards(use_case, lake)
    with lake.scratch(use_case, "scoring") as scratch:
        found = production.champions(use_case.name)
        ended = score_shards(
            *(use_case, shards, by_partition(found), origin, scratch.uri),
            spark=spark,
            registry=production,
        )
        scored = [shard for shard in ended if isinstance(shard, ScoredShard)]
        broken = [shard for shard in ended if isinstance(shard, BrokenShard)]
        lost = partial(_list_lost, use_case, origin, scored, broken, lake)
        rows = _write(use_case, origin, scored, lost, results)
    mend_champions(use_case, found, production, results)
    sources = sum((Counter(shard.sources) for shard in scored), Counter(none=rows.lost))
    groups = sum(shard.groups for shard in shards)
    return ScoredOrigin(
        groups=groups,
        by_model=sources["model"],
        by_pooled=sources["pooled"],
        by_baseline=sources["baseline"],
        unserved=sources["none"],
        rows=rows.predictions,
    )


def score_shards(
    use_case: AnyUseCase,
    shards: Sequence[Shard],
    champions: dict[str, dict[str, ModelVersion]],
    origin: datetime,
    folder: str,
    *,
    spark: SparkSession,
    registry: ReadableRegistry,
) -> list[ScoredShard | BrokenShard]:
    """Score shards in Spark with champions by partition and key; the results lie in ``folder``."""
    run = ScoringRun(
        use_case=use_case,
        folder=folder,
        origin=origin.isoformat(),
        registry_uri=None if is_database(registry.uri) else registry.uri,
    )
    return run_tasks(
        spark,
        _plan(shards, champions, folder),
        partial(score_task, run=run),
        lambda task: task.shard.groups,
        Progress("scored", sum(shard.groups for shard in shards)),
    )


def _plan(
    shards: Sequence[Shard], champions: dict[str, dict[str, ModelVersion]], folder: str
) -> list[ScoringTask]:
    """One task a shard, with the champions of its partition in one file for all its shards."""
    paths: dict[str, str] = {}
    for number, partition in enumerate({shard.partition for shard in shards} & champions.keys()):
        paths[partition] = f"{folder}/champions-{number}.parquet"
        write_champions(champions[partition], paths[partition])
    return [ScoringTask(shard, paths.get(shard.partition)) for shard in shards]


@dataclass(frozen=True, slots=True)
class _Written:
    """Rows of predictions, and groups that are in the ledger without having been read."""

    predictions: int
    lost: int


def _write(
    use_case: AnyUseCase,
    origin: datetime,
    scored: Sequence[ScoredShard],
    list_lost: Callable[[pa.Schema], pa.Table],
    results: Results,
) -> _Written:
    """Replace the origin's slice of all tables in one transaction."""
    slice_of, shape = {"origin": origin.isoformat(sep=" ")}, shape_of(use_case)
    tables = {
        "scoring": (shape.scoring_schema(use_case), [shard.ledger for shard in scored]),
    }
    if (schema := shape.inventory_schema(use_case)) is not None:
        paths = [shard.inventory for shard in scored if shard.inventory is not None]
        tables["inventory"] = (schema, paths)
    predictions = stream_parquet([s.predictions for s in scored], shape.prediction_schema(use_case))
    slices: dict[str, tuple[pa.RecordBatchReader, Where]] = {"predictions": (predictions, slice_of)}
    count = 0
    for name, (schema, paths) in tables.items():
        lost = list_lost(schema)
        batches = chain(stream_parquet(paths, schema), lost.to_batches())
        slices[name] = (pa.RecordBatchReader.from_batches(schema, batches), slice_of)
        count = len(lost)
    written = results.replace_all(slices)
    ahead = use_case.frequency.to_period(np.array([np.datetime64(origin, "us")]))
    last = use_case.frequency.to_time(ahead + use_case.periods_ahead)[0].item()
    write_dates(results, range(use_case.source.start.year, last.year + 1))
    return _Written(written["predictions"], count)


def _list_lost(
    use_case: AnyUseCase,
    origin: datetime,
    scored: Sequence[ScoredShard],
    broken: Sequence[BrokenShard],
    lake: Lake,
    schema: pa.Schema,
) -> pa.Table:
    """Rows of a table with one for each group and origin, for the groups of broken shards."""
    partitions = {shard.shard.partition for shard in broken}
    found = [
        read_parquet(shard.ledger, ["group_key"])
        for shard in scored
        if shard.partition in partitions
    ]
    ending = {"origin": origin, "source": "none"}
    return list_lost(use_case, broken, found, lake, ending, schema)


def by_partition(champions: Iterable[ModelVersion]) -> dict[str, dict[str, ModelVersion]]:
    """Production versions by partition and composite key, which their tags tell.

    The pooled model has no such tag: its key is ``POOLED_KEY``.
    """
    found: dict[str, dict[str, ModelVersion]] = {}
    for version in champions:
        by_key = found.setdefault(version.tags.get(PARTITION_TAG, ""), {})
        by_key[version.tags.get(PARTITION_KEY_TAG, POOLED_KEY)] = version
    return found
