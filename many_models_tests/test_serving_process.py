from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from many_models import settings
from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.forecast.training import train_shard
from many_models.core.keys import model_name
from many_models.core.registration import ModelRecord, ModelVersion
from many_models.serving_process import ServingSettings, build_app
from many_models_tests.adapters.serving.running import Client, running
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

pytestmark = pytest.mark.mlflow

USE_CASE = make_use_case(candidates=["seasonal_naive", "ridge"])
END = np.datetime64("2024-05-29")
ROW = {"store": 1, "item": "a", "date": "2024-05-30"}


def promote(registry: MlflowRegistry, items: str, level: float = 1.0) -> None:
    """Models of these items of store 1, trained on sales at this level, become champions."""
    sold = [level * value for value in noisy_weeks(150)]
    series = make_series(USE_CASE, "2024-01-01", sold)
    shard = make_shard(USE_CASE, {("1", item): series for item in items})
    records = []
    for row in train_shard(shard, USE_CASE, partition="1", trained_through=END).to_pylist():
        name = model_name("sales", USE_CASE.keys, ("1", row["item"]))
        tags = {"use_case": "sales", "partition": "1", "store": "1", "item": row["item"]}
        tags["partition_key"] = f"store=1,item={row['item']}"
        records.append(ModelRecord(name, row["payload"], {"mase": 1.0}, {}, tags))
    for outcome in registry.register(records, alias="champion"):
        assert isinstance(outcome, ModelVersion)


@pytest.fixture
def asked(
    make_registry: Callable[[str], MlflowRegistry], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Client, MlflowRegistry]]:
    """A service that looks for news all the time, and the registry that it reads."""
    registry = make_registry("production")
    monkeypatch.setenv(settings.PRODUCTION_READER, registry.uri)
    home.mkdir()
    file = home / "sales.yaml"
    file.write_text(yaml.safe_dump(USE_CASE.model_dump(mode="json", exclude_defaults=True)))
    chosen = ServingSettings(use_case=str(file), refresh_seconds=0.02, open_to_all=True)
    with running(build_app(chosen, os.environ)) as client:
        yield client, registry


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def predict(client: Client) -> dict[str, Any]:
    reply = client.predict({"dataframe_records": [ROW]})
    found: dict[str, Any] = reply.json["predictions"][0] if reply.status == 200 else {}
    return found


def test_promotions_are_served_within_seconds_and_outlive_the_registry(
    asked: tuple[Client, MlflowRegistry],
) -> None:
    client, registry = asked
    assert client.predict({"dataframe_records": [ROW]}).status == 404
    promote(registry, "ab")
    wait_until(lambda: predict(client).get("model_version") == 1)
    first = predict(client)
    promote(registry, "a", level=3.0)
    wait_until(lambda: predict(client)["model_version"] == 2)
    assert predict(client)["prediction"] > 2 * first["prediction"]

    path = Path(registry.uri.removeprefix("sqlite:///"))
    path.rename(path.with_suffix(".away"))
    wait_until(lambda: client.get("/health").json["status"] == "stale")
    other = client.predict({"dataframe_records": [{**ROW, "item": "b"}]})  # a model not loaded yet
    assert other.json["predictions"][0]["source"] == "model"
    path.with_suffix(".away").rename(path)
    wait_until(lambda: client.get("/health").json["status"] == "ok")


def test_without_a_key_no_service_starts_by_accident(home: Path) -> None:
    chosen = ServingSettings(use_case="sales.yaml")
    with pytest.raises(ValueError, match="MANY_MODELS_API_KEY"):
        build_app(chosen, {})
