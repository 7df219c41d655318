"""Pipelines for the steps that need Spark and MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from many_models.core.use_case import AnyUseCase
from many_models_tests.pipelines import Pipeline


@pytest.fixture
def make_pipeline(
    tmp_path: Path, spark: SparkSession, empty_registry_database: Path
) -> Callable[[AnyUseCase], Pipeline]:
    """Function that makes an empty pipeline for a use case."""

    def make(use_case: AnyUseCase) -> Pipeline:
        return Pipeline.create(tmp_path, use_case, spark, empty_registry_database)

    return make
