"""Who registers and finds the models of ``registry.py``: we in bulk, through its client, MLflow.

Here: registries, records, and what each rival does; not what is measured.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

from many_models.adapters.registry.database import RegistryDatabase
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.adapters.registry.model_artifact import load_payload
from many_models.adapters.registry.tables import TABLES
from many_models.core.registration import ModelRecord, ModelVersion
from many_models_tests.conftest import PostgresServer

A_PARTITION = 100  # models
PARTITIONS_A_QUERY = 100
KEYS = ("store_id", "department")
METRICS = ("mase", "rmse", "mae", "pinball", "coverage")
PARAMETERS = {"candidate": "ridge", "features": "price", "horizon": "28", "rows": "400"}
TAGS = ("data_version", "code_version", "trained_through", "dagster_run_id", "score")
FEATURES = np.random.default_rng(1).normal(size=(40, 8))


def make_records(models: int) -> Iterator[ModelRecord]:
    """Records of small ridges, a hundred a partition; payloads differ from model to model."""
    model = Ridge().fit(FEATURES, FEATURES[:, 0])
    for number in range(models):
        store, department = f"s{number // A_PARTITION:04d}", f"d{number % A_PARTITION:02d}"
        model.intercept_ = float(number)
        yield ModelRecord(
            name=f"sales.{store}.{department}",
            payload=pickle.dumps(model),
            metrics=dict.fromkeys(METRICS, number / 7),
            params=PARAMETERS,
            tags={
                "use_case": "sales",
                "partition": store,
                "store_id": store,
                "department": department,
                "partition_key": f"{store}|{department}",
                "candidate": "ridge",
                **dict.fromkeys(TAGS, "2026-01-01"),
            },
            key_tags=KEYS,
        )


class Registries:
    """Empty registries by the number; MLflow's migrations run once for each kind of database."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._folder = folder
        self._server = server
        self._numbers = count()
        self._template = folder / "template.db"
        for uri in (f"sqlite:///{folder}/made.db", server.url("template1")):
            MlflowRegistry(uri, str(folder), "unused").champions("none")
        server.execute(  # connections that MLflow keeps open forbid copying the template
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template1'"
        )
        with (
            closing(sqlite3.connect(folder / "made.db")) as made,
            closing(sqlite3.connect(self._template)) as template,
        ):
            made.backup(template)

    def of(self, kind: str, *, bulk: bool = True) -> MlflowRegistry:
        """An empty registry in ``SQLite`` or ``PostgreSQL``."""
        return self._in_sqlite(bulk) if kind == "SQLite" else self._in_postgres(bulk)

    def _in_sqlite(self, bulk: bool) -> MlflowRegistry:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        (folder / "registry.db").write_bytes(self._template.read_bytes())
        return self._opened(f"sqlite:///{folder}/registry.db", folder, bulk)

    def _in_postgres(self, bulk: bool) -> MlflowRegistry:
        name = f"r{next(self._numbers)}"
        self._server.execute(f"CREATE DATABASE {name}")
        return self._opened(self._server.url(name), self._folder / name, bulk)

    def _opened(self, uri: str, folder: Path, bulk: bool) -> MlflowRegistry:
        registry = MlflowRegistry(uri, str(folder / "artifacts"), "benchmark", allow_bulk=bulk)
        registry.check()
        return registry


def register(registry: MlflowRegistry, models: int) -> int:
    outcomes = registry.register(make_records(models), alias="champion", total=models)
    return sum(isinstance(outcome, ModelVersion) for outcome in outcomes)


def log_models(registry: MlflowRegistry, models: int) -> int:
    """What tutorials do, with the requirements given: looking for them takes seconds a model."""
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    mlflow.set_experiment("benchmark")
    client = mlflow.MlflowClient()
    for record in make_records(models):
        tags = record.version_tags()
        with mlflow.start_run(run_name=record.name):
            mlflow.log_params(dict(record.params))
            mlflow.log_metrics(dict(record.metrics))
            mlflow.set_tags(tags)
            info = mlflow.sklearn.log_model(
                pickle.loads(record.payload),
                name="model",
                registered_model_name=record.name,
                pip_requirements=["scikit-learn"],
                serialization_format="pickle",
                tags=tags,
            )
        location = client.get_logged_model(info.model_id).artifact_location
        client.set_model_version_tag(record.name, "1", "artifact_location", location)
        for key, value in record.model_tags().items():
            client.set_registered_model_tag(record.name, key, value)
        client.set_registered_model_alias(record.name, "champion", "1")
    return models


def rows_a_model(registry: MlflowRegistry, models: int) -> dict[str, float]:
    database = RegistryDatabase(registry.uri)
    counted = {t.name: database.query(f"SELECT count(*) FROM {t.name}")[0][0] for t in TABLES}
    return {table: rows / models for table, rows in counted.items()}


def require_same_work(rivals: dict[str, tuple[MlflowRegistry, int]]) -> None:
    """Stop unless all left the same number of rows a model, in every table."""
    found = {name: rows_a_model(registry, models) for name, (registry, models) in rivals.items()}
    first = next(iter(found.values()))
    for name, rows in found.items():
        if rows != first:
            raise SystemExit(f"{name} left other rows: {rows}, not {first}")


def load_all(registry: MlflowRegistry, models: int) -> int:
    """A hundred partitions, ten thousand models, a query: memory does not grow with the rest."""
    partitions = [f"s{store:04d}" for store in range(-(-models // A_PARTITION))]
    loaded = 0
    for first in range(0, len(partitions), PARTITIONS_A_QUERY):
        found = registry.champions("sales", partitions[first : first + PARTITIONS_A_QUERY])
        loaded += len([load_model(version) for version in found])
    if loaded != models:
        raise SystemExit(f"found {loaded} champions of {models}")
    return loaded


def load_model(version: ModelVersion | None) -> Any:
    assert version is not None
    digest = version.tags["payload_sha256"]
    return pickle.loads(load_payload(version.location, digest, version.name))


def load_with_mlflow(registry: MlflowRegistry, models: int) -> int:
    """Through MLflow alone, by alias; its directories on the local disk."""
    import mlflow

    mlflow.set_tracking_uri(registry.uri)
    for record in make_records(models):
        mlflow.sklearn.load_model(f"models:/{record.name}@champion")
    return models
