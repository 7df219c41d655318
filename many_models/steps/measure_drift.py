"""Drift: one row for every champion of some partitions, in table ``drift``.

Accuracy comes from the result store and the ledger. The rows of the grouped datasets are read, in
Spark, only where some have come since a champion was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.spark.drift_work import (
    DriftTask,
    measure_shifts_task,
    write_trained_through,
)
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.data_blocks import blocks_since
from many_models.core.drift import judge_accuracy
from many_models.core.keys import parse_group_key
from many_models.core.promise import promise_columns, read_promise
from many_models.core.registration import (
    DAGSTER_RUN_TAG,
    PARTITION_KEY_TAG,
    PARTITION_TAG,
    POOLED_TAG,
    TRAINING_VERSION_TAG,
)
from many_models.core.result_tables.fact_schemas import drift_schema
from many_models.core.sharding import Shard, bundle_shards
from many_models.core.shifted_rows import SHIFT_SCHEMA
from many_models.core.use_case import AnyUseCase
from many_models.steps.champion_age import find_stale
from many_models.steps.champion_errors import Judged, read_errors
from many_models.steps.drift_review import PartitionDrift, summarise
from many_models.steps.group import read_shards
from many_models.steps.results import Results

TABLE = "drift"
GROUPS_A_TASK = 2_000
TASKS_A_CORE = 4
RUNS_IN_A_QUERY = 500
MICROSECONDS_A_DAY = 86_400_000_000


def measure_drift(
    use_case: AnyUseCase,
    partitions: Sequence[str],
    run_id: str,
    *,
    spark: Callable[[], SparkSession],
    lake: Lake,
    production: ReadableRegistry,
    results: Results,
) -> dict[str, PartitionDrift]:
    """Measure every champion of these partitions, and replace their rows; figures by partition.

    Spark is asked for only where data have come since training.
    """
    champions = _champions(use_case, partitions, production)
    shards = read_shards(use_case, lake, partitions) if len(champions) else []
    champions = _with_ledger(use_case, _with_time(champions, shards), results)
    shifts = _measure_shifts(use_case, champions, shards, spark, lake)
    champions = champions.merge(shifts, how="left", on="group_key")
    rows = _rows(use_case, champions, run_id, results)
    results.replace(TABLE, rows, {"partition": sorted(set(partitions))})
    return summarise(use_case, rows, partitions)


def _champions(
    use_case: AnyUseCase, partitions: Sequence[str], production: ReadableRegistry
) -> pd.DataFrame:
    """The groups' own models in production, and which row of the ledger is about each."""
    found = [
        version
        for version in production.champions(use_case.name, partitions)
        if POOLED_TAG not in version.tags
    ]
    keys = [parse_group_key(v.tags[PARTITION_KEY_TAG], use_case.keys) for v in found]
    trained = [version.tags.get("trained_through") for version in found]
    return pd.DataFrame(
        {
            "partition": [version.tags[PARTITION_TAG] for version in found],
            "group_key": [version.tags[PARTITION_KEY_TAG] for version in found],
            **{name: [key[place] for key in keys] for place, name in enumerate(use_case.keys)},
            "model_name": [version.name for version in found],
            "model_version": np.array([version.version for version in found], np.int64),
            "candidate": [version.tags.get("candidate") for version in found],
            "trained_through": pd.to_datetime(pd.Series(trained, dtype=object)),
            "trained_by": [version.tags.get(DAGSTER_RUN_TAG, "") for version in found],
            "trained_version": np.array(
                [int(version.tags.get(TRAINING_VERSION_TAG, -1)) for version in found], np.int64
            ),
        }
    )


def _with_time(champions: pd.DataFrame, shards: Sequence[Shard]) -> pd.DataFrame:
    """With ``data_through``, which is missing where a partition has left the lake."""
    reached = {shard.partition: shard.data_through for shard in shards}
    moments = [reached.get(name) for name in champions["partition"]]
    return champions.assign(data_through=pd.to_datetime(pd.Series(moments, dtype=object)))


def _with_ledger(use_case: AnyUseCase, champions: pd.DataFrame, results: Results) -> pd.DataFrame:
    """With what the ledger promises of each; nothing where it has no row of that model."""
    columns, name = promise_columns(use_case), results.name("ledger")
    runs = sorted(set(champions["trained_by"]))
    found = []
    for start in range(0, len(runs), RUNS_IN_A_QUERY):
        named = {f"r{n}": run for n, run in enumerate(runs[start : start + RUNS_IN_A_QUERY])}
        among = ", ".join(f":{one}" for one in named)
        sql = (
            f"SELECT run_id AS trained_by, model_name, model_version AS trained_version, "
            f'{", ".join(columns)} FROM "{name}" '
            f"WHERE run_id IN ({among}) AND status = 'trained'"
        )
        found.append(results.store.query(sql, named).to_pandas())
    identity = ["trained_by", "model_name", "trained_version"]
    if not found:
        return champions.assign(**dict.fromkeys(columns, np.nan))
    ledger = pd.concat(found).drop_duplicates(identity)
    return champions.merge(ledger, how="left", on=identity)


def _measure_shifts(
    use_case: AnyUseCase,
    champions: pd.DataFrame,
    shards: Sequence[Shard],
    spark: Callable[[], SparkSession],
    lake: Lake,
) -> pd.DataFrame:
    """Rows of ``SHIFT_SCHEMA`` of the partitions of which data have come since training."""
    known = champions.dropna(subset=["trained_through", "data_through"])
    moments = (
        known[name].to_numpy("datetime64[us]") for name in ("trained_through", "data_through")
    )
    grown = set(known["partition"][blocks_since(use_case, *moments) > 0])
    wanted = [shard for shard in shards if shard.partition in grown]
    if not wanted:
        nothing: pd.DataFrame = SHIFT_SCHEMA.empty_table().to_pandas()
        return nothing
    session = spark()
    cores = session.sparkContext.defaultParallelism
    bundles = bundle_shards(wanted, groups_max=GROUPS_A_TASK, bundles_min=TASKS_A_CORE * cores)
    with lake.scratch(use_case, "drift") as scratch:
        files = {
            name: f"{scratch.uri}/champions-{n}.parquet" for n, name in enumerate(sorted(grown))
        }
        for name, rows in known[known["partition"].isin(grown)].groupby("partition"):
            times = rows["trained_through"].to_numpy("datetime64[us]")
            write_trained_through(
                dict(zip(rows["group_key"], times, strict=True)), files[str(name)]
            )
        paths = run_tasks(
            session,
            [
                DriftTask(bundle, {s.partition: files[s.partition] for s in bundle})
                for bundle in bundles
            ],
            partial(measure_shifts_task, use_case=use_case, folder=scratch.uri),
            lambda task: task.groups,
            Progress("compared with training", sum(shard.groups for shard in wanted)),
        )
        found: pd.DataFrame = pa.concat_tables([read_parquet(p) for p in paths]).to_pandas()
        return found


def _rows(use_case: AnyUseCase, champions: pd.DataFrame, run_id: str, results: Results) -> pa.Table:
    """Rows of the table: what was found, held against the rules."""
    rules, frequency = use_case.drift, use_case.frequency
    through = champions["data_through"].to_numpy("datetime64[us]")
    trained = champions["trained_through"].to_numpy("datetime64[us]")
    last = frequency.to_period(np.where(np.isnat(through), np.datetime64(0, "us"), through))
    judged = Judged(
        champions["partition"].tolist(),
        champions["model_name"].tolist(),
        champions["model_version"].to_numpy(np.int64),
        last,
    )
    ledger = pa.Table.from_pandas(champions[list(promise_columns(use_case))], preserve_index=False)
    promise = read_promise(ledger, use_case)
    errors, actuals = read_errors(judged, results)
    found = judge_accuracy(
        errors, actuals, promise, rules, judged_min=rules.judged_min_of(frequency)
    )
    since = frequency.to_time(last - errors.shape[1] + 1 + found.since)
    age = (through - trained).astype("timedelta64[us]").astype(np.float64) / MICROSECONDS_A_DAY
    age[np.isnat(through) | np.isnat(trained)] = np.nan
    columns = {
        "promised": promise.error,
        "error": found.error,
        "judged": found.judged,
        "drifted": found.drifted,
        "excess": found.excess(promise),
        "drifted_since": np.where(found.drifted, since, np.datetime64("NaT", "us")),
        "age_days": age,
        "stale": find_stale(champions["group_key"].tolist(), age, through, results),
        "shifted": champions["shifted"].eq(True).to_numpy(bool),
        "run_id": run_id,
        "measured_at": np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us"),
    }
    schema = drift_schema(use_case)
    frame = champions.assign(**columns)[schema.names]
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
