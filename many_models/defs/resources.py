"""Resources: settings with types, each of which builds one adapter."""

import os
from collections.abc import Mapping
from typing import Any, Literal

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from many_models import settings
from many_models.adapters.lake.tables import Lake
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.readable_registry import ReadableRegistry
from many_models.adapters.sources.database import SourceDatabase
from many_models.adapters.spark.session import start_session
from many_models.core.errors import RegistryError
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results, open_results

SPARK_POOL = "spark"
"""Pool of every op that opens ``SparkResource``: where an instance limits it, so many runs have a
Spark session at once, and the others wait in the queue."""


class LakeResource(dg.ConfigurableResource[Any]):
    """The data lake: a folder, or an object store's URL."""

    root: str

    def open(self) -> Lake:
        return Lake(self.root)


class SourceResource(dg.ConfigurableResource[Any]):
    """Source databases; each use case names its own, with placeholders for what is secret."""

    def open(self, use_case: AnyUseCase) -> SourceDatabase:
        return SourceDatabase(settings.source_url(use_case, os.environ))


class RegistryResource(dg.ConfigurableResource[Any]):
    """One MLflow registry: a database or a server, and a place for the models' files."""

    uri: str
    artifacts: str

    def open(self, use_case: AnyUseCase) -> MlflowRegistry:
        return _open_registry(self.uri, self.artifacts, use_case)


class ChampionsResource(dg.ConfigurableResource[Any]):
    """The production registry for those who only read it, with credentials for no more."""

    uri: str

    def open(self, use_case: AnyUseCase) -> ReadableRegistry:
        return _open_champions(self.uri, use_case)


class StoreResource(dg.ConfigurableResource[Any]):
    """The SQL database of the ledger, the verdicts and the predictions."""

    url: str

    def open(self, use_case: AnyUseCase) -> Results:
        return open_results(self.url, use_case)


class SparkResource(LazyPySparkResource):
    """A Spark session, started at its first use; ``spark_config`` overrides our settings."""

    master: str
    spark_config: dict[str, str] = {}  # noqa: RUF012  Dagster's fields are declared this way

    def open(self) -> SparkSession:
        if self._spark_session is None:
            self._spark_session = start_session(self.master, self.spark_config)
        session: SparkSession = self._spark_session
        return session


def _open_registry(uri: str, artifacts: str, use_case: AnyUseCase) -> MlflowRegistry:
    if not uri:
        raise RegistryError(
            f"production cannot be written from here: {settings.PRODUCTION_REGISTRY} is not set, "
            f"only {settings.PRODUCTION_READER} is, which is for reading. Promote and roll back "
            f"where {settings.PRODUCTION_REGISTRY} names credentials that may write"
        )
    registry = MlflowRegistry(uri, artifacts or None, use_case.name)
    registry.check()
    return registry


def _open_champions(uri: str, use_case: AnyUseCase) -> ReadableRegistry:
    champions = ReadableRegistry(uri, use_case.name)
    champions.check()
    return champions


def build_registry(
    use_case: AnyUseCase, name: Literal["training", "production"], environ: Mapping[str, str]
) -> MlflowRegistry:
    """One of the two registries outside of Dagster, from the same settings, to be written."""
    uri, artifacts = {
        "training": (settings.TRAINING_REGISTRY, settings.TRAINING_ARTIFACTS),
        "production": (settings.PRODUCTION_REGISTRY, settings.PRODUCTION_ARTIFACTS),
    }[name]
    return _open_registry(environ[uri], environ[artifacts], use_case)


def build_champions(use_case: AnyUseCase, environ: Mapping[str, str]) -> ReadableRegistry:
    """The production registry outside of Dagster, to be read."""
    return _open_champions(environ[settings.PRODUCTION_READER], use_case)


def build_resources() -> dict[str, dg.ConfigurableResource[Any]]:
    """Resources with their settings from the environment, read when a run starts."""
    return {
        "source": SourceResource(),
        "lake": LakeResource(root=dg.EnvVar(settings.LAKE)),
        "spark": SparkResource(master=dg.EnvVar(settings.SPARK_MASTER)),
        "training_registry": RegistryResource(
            uri=dg.EnvVar(settings.TRAINING_REGISTRY),
            artifacts=dg.EnvVar(settings.TRAINING_ARTIFACTS),
        ),
        "production_registry": RegistryResource(
            uri=dg.EnvVar(settings.PRODUCTION_REGISTRY),
            artifacts=dg.EnvVar(settings.PRODUCTION_ARTIFACTS),
        ),
        "champions": ChampionsResource(uri=dg.EnvVar(settings.PRODUCTION_READER)),
        "store": StoreResource(url=dg.EnvVar(settings.STORE)),
    }
