"""Train: every group of some partitions in Spark, each model registered, each group in the ledger.

The ledger is written last and in one transaction: a run that was killed before leaves nothing that
a later step would see, and running it again does it all anew.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from many_models import __version__
from many_models.adapters.lake.arrow_files import read_parquet
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.spark.shard_work import TrainedShard, train_task
from many_models.adapters.spark.shards import Progress, run_tasks
from many_models.core.keys import model_name
from many_models.core.ledger import training_schema
from many_models.core.metrics import METRICS
from many_models.core.model import load_model
from many_models.core.registration import (
    DAGSTER_RUN_TAG,
    PARTITION_KEY_TAG,
    ModelRecord,
    ModelVersion,
    RegistrationFailure,
)
from many_models.core.use_case import UseCase
from many_models.steps.group import read_manifest
from many_models.steps.results import Results

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """Who trains, and when: goes into every ledger row and onto every model."""

    run_id: str
    started: datetime


def train_partitions(
    use_case: UseCase,
    partitions: Sequence[str],
    run: Run,
    *,
    spark: SparkSession,
    lake: Lake,
    registry: MlflowRegistry,
    results: Results,
) -> pa.Table:
    """Train, register and write down every group of these partitions; returns the ledger's rows."""
    manifest = read_manifest(use_case, lake, partitions)
    groups = sum(shard.groups for shard in manifest.shards)
    with lake.scratch(use_case, "training") as scratch:
        trained = run_tasks(
            spark,
            manifest.shards,
            partial(train_task, use_case=use_case, folder=scratch.uri),
            lambda shard: shard.groups,
            Progress("trained", groups),
        )
        register = _Registrar(use_case, registry, run, manifest.version)
        ledger = pa.concat_tables(register.ledger_of(trained))
    results.replace("ledger", ledger, {"run_id": run.run_id, "partition": sorted(set(partitions))})
    results.create_views("ledger", "trained_at")
    return ledger


@dataclass(frozen=True)
class _Registrar:
    """Registers what the Spark tasks made, shard by shard, so that few payloads are in memory."""

    use_case: UseCase
    registry: MlflowRegistry
    run: Run
    data_version: int

    def ledger_of(self, trained: Sequence[TrainedShard]) -> Iterator[pa.Table]:
        models = sum(shard.statuses.get("trained", 0) for shard in trained)
        records = (
            record for shard in trained for record in self._records(read_parquet(shard.path))
        )
        example = self._example(trained)
        outcomes = self.registry.register(records, example=example, total=models)
        columns = [name for name in training_schema(self.use_case).names if name != "payload"]
        for shard in trained:
            table = read_parquet(shard.path, columns)
            versions = [next(outcomes) for _ in range(shard.statuses.get("trained", 0))]
            yield self._ledger(table, versions)
        list(outcomes)  # exhausted: lets the registry finish its work

    def _records(self, table: pa.Table) -> Iterator[ModelRecord]:
        for row in table.to_pylist():
            if row["status"] == "trained":
                yield self._record(row)

    def _record(self, row: dict[str, object]) -> ModelRecord:
        keys = tuple(str(row[name]) for name in self.use_case.keys)
        figures = {name: row[name] for name in ("score", "baseline_score", "coverage", *METRICS)}
        return ModelRecord(
            name=model_name(self.use_case.name, self.use_case.keys, keys),
            payload=row["payload"],  # type: ignore[arg-type]
            metrics={
                name: value
                for name, value in figures.items()
                if isinstance(value, float) and math.isfinite(value)
            },
            params={
                "candidate": str(row["candidate"]),
                "horizon": str(self.use_case.horizon),
                "folds": str(row["folds"]),
                "observations": str(row["observations"]),
            },
            tags=self._tags(row),
            key_tags=self.use_case.keys,
        )

    def _tags(self, row: dict[str, object]) -> dict[str, str]:
        columns = (*self.use_case.keys, *self.use_case.features.static)
        return {
            **{name: str(row[name]) for name in columns},
            "use_case": self.use_case.name,
            PARTITION_KEY_TAG: str(row["group_key"]),
            "partition": str(row["partition"]),
            "candidate": str(row["candidate"]),
            "score": repr(row["score"]),
            "metric": self.use_case.validation.metric,
            "evaluated_from": str(row["evaluated_from"]),
            "trained_through": str(row["trained_through"]),
            "data_version": str(self.data_version),
            "code_version": __version__,
            DAGSTER_RUN_TAG: self.run.run_id,
        }

    def _example(self, trained: Sequence[TrainedShard]) -> pd.DataFrame | None:
        """Raw rows for the signature: the first periods after what the first model has seen."""
        for shard in trained:
            if shard.statuses.get("trained"):
                payloads = read_parquet(shard.path, ["payload"])["payload"].drop_null()
                return load_model(payloads[0].as_py()).example()
        return None

    def _ledger(
        self, table: pa.Table, versions: Sequence[ModelVersion | RegistrationFailure]
    ) -> pa.Table:
        """Ledger rows: what training said, and under which name and version the model stands."""
        found = iter(versions)
        rows = table.to_pylist()
        for row in rows:
            row.update(
                run_id=self.run.run_id,
                trained_at=self.run.started.replace(tzinfo=None),
                data_version=self.data_version,
                code_version=__version__,
            )
            if row["status"] != "trained":
                continue
            match next(found):
                case ModelVersion() as version:
                    row.update(
                        model_name=version.name,
                        model_version=version.version,
                        model_run_id=version.run_id,
                    )
                case RegistrationFailure() as failure:
                    row.update(status="failed", reason="registration_failed", error=failure.error)
        return pa.Table.from_pylist(rows, schema=ledger_schema(self.use_case))


def ledger_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the ledger table."""
    training = training_schema(use_case)
    fields = [field for field in training if field.name != "payload"]
    added = [
        ("run_id", pa.string()),
        ("trained_at", pa.timestamp("us")),
        ("data_version", pa.int64()),
        ("code_version", pa.string()),
        ("model_name", pa.string()),
        ("model_version", pa.int64()),
        ("model_run_id", pa.string()),
    ]
    return pa.schema([*fields, *(pa.field(*item) for item in added)])
