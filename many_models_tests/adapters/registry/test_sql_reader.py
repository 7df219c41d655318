from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from many_models.adapters.registry.connection import open_client
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models_tests.adapters.registry.test_mlflow_registry import register
from many_models_tests.fakes_models import constant_record

pytestmark = pytest.mark.mlflow


@pytest.fixture
def through_client(registry: MlflowRegistry) -> MlflowRegistry:
    """The same registry, asked through MLflow's searches."""
    return MlflowRegistry(registry.uri, registry.artifact_root, "training", allow_bulk=False)


def test_finds_what_mlflow_finds(registry: MlflowRegistry, through_client: MlflowRegistry) -> None:
    records = [constant_record(f"m{n}", partition=str(n % 3), run_id="first") for n in range(9)]
    register(registry, records, alias="champion")
    register(registry, [constant_record(f"m{n}", 2.0, partition="0") for n in range(4)])
    register(registry, [constant_record("other", use_case="fuel")], alias="champion")
    client = open_client(registry.uri)
    client.delete_model_version("m1", "2")
    client.delete_registered_model("m8")
    client.set_registered_model_alias("m0", "champion", "2")

    for partitions in (None, ["0", "2"], ["none"], []):
        ours = registry.champions("grocery", partitions)
        assert ours == through_client.champions("grocery", partitions)
    for tags in (None, {"run_id": "first"}, {"run_id": "first", "partition": "1"}, {"a": "b"}):
        assert registry.versions("grocery", tags) == through_client.versions("grocery", tags)
    for name in ("m0", "m1", "m8", "not there"):
        assert registry.champion(name) == through_client.champion(name)
    found = registry.versions("grocery")
    assert registry.metrics(found) == through_client.metrics(found)
    for key in ("run_id", "replaces", "no such tag"):
        assert registry._reader.tagged("grocery", key) == through_client._reader.tagged(
            "grocery", key
        )
    for names in (["m0", "m1", "m7", "m8", "not there"], []):
        assert registry.histories(names) == through_client.histories(names)
    assert list(registry.read_all(found)) == list(through_client.read_all(found))


@pytest.mark.parametrize("writer", ["bulk"])
def test_reading_asks_for_no_right_to_write(registry: MlflowRegistry) -> None:
    (version,) = register(registry, [constant_record("a")], alias="champion")
    path = registry.uri.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database:
        before = list(database.iterdump())

        reader = MlflowRegistry(registry.uri, registry.artifact_root, "an experiment not there")

        assert reader.champions("grocery") == reader.versions("grocery") == [version]
        assert reader.read(version).payload
        assert list(database.iterdump()) == before
