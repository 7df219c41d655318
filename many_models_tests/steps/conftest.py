"""Pipelines for the steps that need Spark and MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.promotion import promote
from many_models.core.registration import ModelVersion
from many_models.core.use_case import AnyUseCase
from many_models_tests.fakes_models import constant_record
from many_models_tests.pipelines import Pipeline


@pytest.fixture
def make_pipeline(
    tmp_path: Path, spark: SparkSession, empty_registry_database: Path
) -> Callable[[AnyUseCase], Pipeline]:
    """Function that makes an empty pipeline for a use case."""

    def make(use_case: AnyUseCase) -> Pipeline:
        return Pipeline.create(tmp_path, use_case, spark, empty_registry_database)

    return make


@pytest.fixture
def history(registry: MlflowRegistry, production: MlflowRegistry) -> MlflowRegistry:
    """Production after two promotions: run r1 of all models, r2 of tea and of milk only."""
    everything = [("s1", "tea"), ("s1", "rye"), ("s2", "tea"), ("s2", "milk")]
    for run_id, keys in (("r1", everything), ("r2", [("s1", "tea"), ("s2", "tea"), ("s2", "nut")])):
        records = [
            constant_record(
                f"sales.{store}.{item}",
                1.0,
                use_case="sales",
                partition=store,
                partition_key=f"store={store},item={item}",
                dagster_run_id=f"train-{run_id}",
            )
            for store, item in keys
        ]
        trained = [v for v in registry.register(records) if isinstance(v, ModelVersion)]
        assert len(list(promote(registry, production, trained, {}, run_id))) == len(keys)
    return production
