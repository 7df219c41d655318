"""A use case with all that its steps need, in one folder of its own."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.core.use_case import AnyUseCase
from many_models.steps.group import GroupedPartition, group_partitions
from many_models.steps.judge import PartitionVerdict, judge_partitions
from many_models.steps.ledger import Run
from many_models.steps.promote import promote_partitions
from many_models.steps.results import Results, open_results
from many_models.steps.score import ScoredOrigin, score_origin
from many_models.steps.train import train_partitions
from many_models_tests.fakes import Columns, make_shard


@dataclass(frozen=True)
class Pipeline:
    """Steps of one use case; its registries are copies of an empty one."""

    folder: Path
    use_case: AnyUseCase
    spark: SparkSession

    @classmethod
    def create(
        cls, folder: Path, use_case: AnyUseCase, spark: SparkSession, empty_registry: Path
    ) -> Pipeline:
        for name in ("training", "production"):
            (folder / name).mkdir(parents=True)
            (folder / name / "mlflow.db").write_bytes(empty_registry.read_bytes())
        (folder / "use_case").write_bytes(pickle.dumps(use_case))
        return cls(folder, use_case, spark)

    @classmethod
    def reopen(cls, folder: Path, spark: SparkSession) -> Pipeline:
        """The same pipeline in another process."""
        return cls(folder, pickle.loads((folder / "use_case").read_bytes()), spark)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.folder / "lake"))

    @property
    def results(self) -> Results:
        return open_results(f"sqlite:///{self.folder}/results.db", self.use_case)

    @property
    def training(self) -> MlflowRegistry:
        return self._registry("training")

    @property
    def production(self) -> MlflowRegistry:
        return self._registry("production")

    @property
    def champions(self) -> ReadableRegistry:
        """Production, for those who only read it."""
        return ReadableRegistry(self.production.uri, self.use_case.name)

    def _registry(self, name: str) -> MlflowRegistry:
        folder = self.folder / name
        artifacts = str(folder / "artifacts")
        return MlflowRegistry(f"sqlite:///{folder}/mlflow.db", artifacts, self.use_case.name)

    def ingest(self, groups: Mapping[tuple[str, ...], Columns], window: str = "w") -> pa.Table:
        """Put these groups into a window of the raw data; returns its rows."""
        rows = make_shard(self.use_case, groups)
        self.lake.raw_data(self.use_case).replace(window, rows.to_reader(), "run")
        return rows

    def group(self, *partitions: str) -> dict[str, GroupedPartition]:
        return group_partitions(self.use_case, partitions, self.spark, self.lake, "run")

    def train(self, *partitions: str, run_id: str = "run") -> pa.Table:
        return train_partitions(
            self.use_case,
            partitions,
            Run(run_id, datetime.now(UTC)),
            spark=self.spark,
            lake=self.lake,
            registry=self.training,
            results=self.results,
        ).ledger

    def promote(self, *partitions: str, run_id: str = "run") -> None:
        self.judge(*partitions)
        promote_partitions(
            self.use_case,
            partitions,
            training=self.training,
            production=self.production,
            results=self.results,
            run_id=run_id,
        )

    def judge(self, *partitions: str) -> dict[str, PartitionVerdict]:
        return judge_partitions(
            self.use_case,
            partitions,
            spark=lambda: self.spark,
            lake=self.lake,
            production=self.champions,
            results=self.results,
        )

    def score(self, origin: datetime, run_id: str = "run") -> ScoredOrigin:
        return score_origin(
            self.use_case,
            origin,
            run_id,
            spark=self.spark,
            lake=self.lake,
            production=self.champions,
            results=self.results,
        )

    def rows(self, table: str) -> list[dict[str, object]]:
        """All rows of one of the result store's tables, by partition and key."""
        name = self.results.name(table)
        order = (
            "time"
            if table == "predictions"
            else "origin"
            if table in ("scoring", "inventory")
            else "run_id"
        )
        found: list[dict[str, object]] = self.results.store.query(
            f'SELECT * FROM "{name}" ORDER BY "partition", group_key, "{order}"'
        ).to_pylist()
        return found
