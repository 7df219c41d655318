"""Train: every group of some partitions in Spark, each model registered, each group in the ledger.

The ledger is written last and in one transaction: a run that was killed before leaves nothing that
a later step would see, and running it again does it all anew.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from many_models import __version__
from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import EXPLANATION_FILE
from many_models.adapters.registry.packing import Packing
from many_models.adapters.registry.packs import MODELS_A_PACK
from many_models.adapters.spark.shard_work import TrainedShard, TrainingTask, train_task
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.config_version import config_version
from many_models.core.errors import LakeError, ManyModelsError, raise_failed
from many_models.core.explanation import EFFECTS, write_explanations
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import model_name
from many_models.core.ledger import NOT_IN_LEDGER
from many_models.core.registration import (
    DAGSTER_RUN_TAG,
    PARTITION_KEY_TAG,
    ModelRecord,
    StoredModel,
)
from many_models.core.shapes import Shape, shape_of
from many_models.core.sharding import BrokenShard, Shard, bundle_shards
from many_models.core.use_case import AnyUseCase
from many_models.steps.backtests import stream_backtests
from many_models.steps.explanations import stream_explanations
from many_models.steps.group import read_manifest
from many_models.steps.ledger import Run, write_ledger
from many_models.steps.lost_groups import describe_broken, list_lost
from many_models.steps.pooled import fit_pooled_models, register_pooled_models
from many_models.steps.results import Results, Where
from many_models.steps.training_review import choose_worst, show_worst

logger = logging.getLogger(__name__)

PAYLOAD = "payload"
MOMENTS = ("evaluated_from", "trained_through")
BUNDLES_A_CORE = 8  # so that the cores end at about the same time


@dataclass(frozen=True, slots=True)
class TrainedPartitions:
    """The ledger's rows, and Markdown by partition that shows an operator its worst groups.

    Of many partitions only some have it.
    """

    ledger: pa.Table
    worst: Mapping[str, str]


def train_partitions(
    use_case: AnyUseCase,
    partitions: Sequence[str],
    run: Run,
    *,
    spark: SparkSession,
    lake: Lake,
    registry: MlflowRegistry,
    results: Results,
) -> TrainedPartitions:
    """Train, register and write down every group of these partitions.

    Raises:
        LakeError: there are no datasets of any of them.
        PartitionsError: some of several have none, or such as cannot be read, whose groups are in
            the ledger as failed.
    """
    manifest = read_manifest(use_case, lake, partitions)
    groups = sum(shard.groups for shard in manifest.shards)
    packing = _find_packing(use_case, registry)
    with lake.scratch(use_case, "training") as scratch:
        pooled = fit_pooled_models(use_case, manifest.shards, scratch.uri, spark)
        fits = {partition: result.fits for partition, result in pooled.items()}
        results_of_bundles = run_tasks(
            spark,
            _plan(manifest.shards, use_case, spark),
            partial(train_task, use_case=use_case, folder=scratch.uri, packing=packing, fits=fits),
            lambda task: task.groups,
            Progress("trained", groups),
        )
        ended = [shard for bundle in results_of_bundles for shard in bundle]
        trained = [shard for shard in ended if isinstance(shard, TrainedShard)]
        broken = [shard for shard in ended if isinstance(shard, BrokenShard)]
        register = _Registrar(use_case, registry, run, manifest.version)
        ledgers = list(register.ledger_of(trained))
        lost = _list_lost(use_case, broken, ledgers, run, manifest.version, lake)
        ledger = pa.concat_tables([*ledgers, lost])
        pooled_rows = register_pooled_models(
            use_case, pooled, ledger, run, manifest.version, registry
        )
        names = sorted(set(partitions))
        of_run: Where = {"run_id": run.run_id, "partition": names}
        of_last_run: Where = {"partition": names}
        explanations = stream_explanations(use_case, trained, ledgers)
        results.replace_all(
            {
                "ledger": (ledger, of_run),
                "explanations": (explanations, of_last_run),
                **_backtests(use_case, trained, ledgers, of_last_run),
                **({"pooled": (pooled_rows, of_run)} if len(pooled_rows) else {}),
            }
        )
        worst = show_worst(use_case, choose_worst(use_case, ledger), trained, ledgers)
    done = TrainedPartitions(ledger, worst)
    raise_failed(_find_failed(partitions, manifest.shards, broken), done, len(names))
    return done


def _backtests(
    use_case: AnyUseCase,
    trained: Sequence[TrainedShard],
    ledgers: Sequence[pa.Table],
    where: Where,
) -> dict[str, tuple[pa.RecordBatchReader, Where]]:
    """The slice of the backtests, of forecasts; other problems have a holdout."""
    if not isinstance(use_case, UseCase):
        return {}
    return {"backtests": (stream_backtests(use_case, trained, ledgers), where)}


def _list_lost(
    use_case: AnyUseCase,
    broken: Sequence[BrokenShard],
    ledgers: Sequence[pa.Table],
    run: Run,
    data_version: int,
    lake: Lake,
) -> pa.Table:
    """Ledger rows of the groups of broken shards."""
    training = shape_of(use_case).training_schema(use_case)
    schema = pa.schema([field for field in training if field.name not in NOT_IN_LEDGER])
    rows = list_lost(use_case, broken, ledgers, lake, {"status": "failed"}, schema)
    return write_ledger(use_case, rows, [], run, data_version)


def _find_failed(
    partitions: Sequence[str], shards: Sequence[Shard], broken: Sequence[BrokenShard]
) -> dict[str, ManyModelsError]:
    there = {shard.partition for shard in shards}
    texts = {
        name: "has no datasets, as raw_data has no rows of it; materialize grouped_datasets where "
        "it has some now, else delete the partition"
        for name in partitions
        if name not in there
    } | describe_broken(broken)
    return {name: LakeError(text) for name, text in texts.items()}


def _plan(shards: Sequence[Shard], use_case: AnyUseCase, spark: SparkSession) -> list[TrainingTask]:
    """Spark tasks: shards enough to fill a pack, but tasks enough for every core.

    Each shard has its part of the run's budget, by its rows.
    """
    bundles_min = spark.sparkContext.defaultParallelism * BUNDLES_A_CORE
    bundles = bundle_shards(shards, groups_max=MODELS_A_PACK, bundles_min=bundles_min)
    if use_case.core_minutes is None:
        return [TrainingTask(bundle) for bundle in bundles]
    seconds_a_row = 60 * use_case.core_minutes / max(sum(shard.rows for shard in shards), 1)
    return [
        TrainingTask(bundle, tuple(seconds_a_row * shard.rows for shard in bundle))
        for bundle in bundles
    ]


def _find_packing(use_case: AnyUseCase, registry: MlflowRegistry) -> Packing | None:
    """What Spark's tasks need to write packs; None where the registry wants the payloads itself."""
    folder = registry.writer.pack_folder
    return (
        None
        if folder is None
        else Packing.of_models_like(shape_of(use_case).make_specimen(use_case), folder)
    )


@dataclass(frozen=True)
class _Registrar:
    """Registers what the Spark tasks made, shard by shard, so that few payloads are in memory."""

    use_case: AnyUseCase
    registry: MlflowRegistry
    run: Run
    data_version: int

    @property
    def shape(self) -> Shape:
        return shape_of(self.use_case)

    @cached_property
    def config_version(self) -> str:
        return config_version(self.use_case)

    def ledger_of(self, trained: Sequence[TrainedShard]) -> Iterator[pa.Table]:
        names = self.shape.training_schema(self.use_case).names
        columns = [name for name in names if name not in NOT_IN_LEDGER]
        tables = [read_parquet(shard.path, columns) for shard in trained]
        records = (
            record
            for shard, table in zip(trained, tables, strict=True)
            for record in self._records(shard, table)
        )
        models = sum(shard.statuses.get("trained", 0) for shard in trained)
        outcomes = self.registry.register(records, example=self._example(trained), total=models)
        for shard, table in zip(trained, tables, strict=True):
            found = list(islice(outcomes, shard.statuses.get("trained", 0)))
            yield write_ledger(self.use_case, table, found, self.run, self.data_version)
        list(outcomes)  # exhausted: lets the registry finish its work

    def _records(self, shard: TrainedShard, table: pa.Table) -> Iterator[ModelRecord]:
        if not shard.statuses.get("trained"):
            return
        is_trained = pc.equal(table["status"], "trained")
        models = read_parquet(shard.path, [PAYLOAD, EFFECTS]).filter(is_trained)
        candidates = table.filter(is_trained)["candidate"].to_pylist()
        found = zip(models[PAYLOAD], write_explanations(candidates, models[EFFECTS]), strict=True)
        for row, model in zip(table.filter(is_trained).to_pylist(), found, strict=True):
            yield self._record(row, *model)

    def _record(
        self, row: dict[str, object], model: pa.Scalar[Any], explanation: bytes
    ) -> ModelRecord:
        payload: bytes | dict[str, str] = model.as_py()
        keys = tuple(str(row[name]) for name in self.use_case.keys)
        names = ("score", "baseline_score", *self.shape.figures(self.use_case))
        figures = {name: row[name] for name in names}
        return ModelRecord(
            name=model_name(self.use_case.name, self.use_case.keys, keys),
            payload=payload if isinstance(payload, bytes) else b"",
            stored=None if isinstance(payload, bytes) else StoredModel(**payload),
            metrics={
                name: value
                for name, value in figures.items()
                if isinstance(value, float) and math.isfinite(value)
            },
            params={
                "horizon": str(self.use_case.periods_ahead),
                **{name: str(row[name]) for name in self.shape.parameters},
            },
            tags=self._tags(row),
            key_tags=self.use_case.keys,
            files={EXPLANATION_FILE: explanation} if isinstance(payload, bytes) else {},
        )

    def _tags(self, row: dict[str, object]) -> dict[str, str]:
        columns = (*self.use_case.keys, *self.use_case.static_columns)
        return {
            **{name: str(row[name]) for name in columns},
            "use_case": self.use_case.name,
            PARTITION_KEY_TAG: str(row["group_key"]),
            "partition": str(row["partition"]),
            "candidate": str(row["candidate"]),
            "score": repr(row["score"]),
            "metric": self.use_case.metric,
            **{name: str(row[name]) for name in (*MOMENTS, *self.shape.judged_on)},
            "data_version": str(self.data_version),
            "code_version": __version__,
            "config_version": self.config_version,
            DAGSTER_RUN_TAG: self.run.run_id,
        }

    def _example(self, trained: Sequence[TrainedShard]) -> pd.DataFrame | None:
        """Raw rows for the signature: the first periods after what the first model has seen.

        None where the tasks have given their models a signature.
        """
        for shard in trained:
            if shard.statuses.get("trained"):
                payload = read_parquet(shard.path, [PAYLOAD])[PAYLOAD].drop_null()[0].as_py()
                return (
                    self.shape.load_model(payload).example() if isinstance(payload, bytes) else None
                )
        return None
