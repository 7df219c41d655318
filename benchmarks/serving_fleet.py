"""A production registry with very many champions whose every answer is known beforehand.

Some models are trained; each group gets a copy of one of them under its own key, which the number
of the group and the version tell. So each prediction of a service can be checked to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.forecast.model import ForecastModel
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import group_key, model_name
from many_models.core.lake_schema import raw_columns
from many_models.core.payload import dump_payload, load_payload
from many_models.core.registration import (
    CHAMPION,
    PARTITION_KEY_TAG,
    PARTITION_TAG,
    USE_CASE_TAG,
    ModelRecord,
    RegistrationFailure,
)
from many_models.core.simulation.retailer import SimulatedSales

A_STORE = 100  # items, so models a partition
STEP = 37  # from the model of one version to that of the next
DAYS = 400
AHEAD = 7
PRICE = 5.0
USE_CASE = UseCase.model_validate(
    {
        "name": "benchmark",
        "source": {"url": "sqlite:///none.db", "table": "sales", "start": "2023-01-01"},
        "keys": ["store_id", "item_id"],
        "partitioning": {"by": "store_id"},
        "time": {"column": "date", "frequency": "D"},
        "target": "sales",
        "horizon": 28,
        "gaps": "zero",
        "features": {"known": ["price", {"name": "promotion", "fill": "zero"}]},
        "candidates": ["seasonal_naive", "ridge"],
        "ensembles": False,
    }
)


@dataclass(frozen=True)
class Fleet:
    """``count`` groups; ``models`` (B) are what was trained, ``predictions`` (B) what they say."""

    registry: MlflowRegistry
    file: Path
    count: int
    models: list[ForecastModel]
    predictions: list[float]
    date: str

    def key(self, number: int) -> tuple[str, str]:
        return f"s{number // A_STORE:05d}", f"i{number % A_STORE:02d}"

    def model(self, number: int, version: int = 1) -> ForecastModel:
        """The model of a group under a version."""
        found = self.models[self._base(number, version)]
        return replace(found, key=self.key(number))

    def expected(self, number: int, version: int) -> float:
        """What that model predicts of the row that is asked for."""
        return self.predictions[self._base(number, version)]

    def row(self, number: int) -> dict[str, object]:
        store, item = self.key(number)
        known = {"date": self.date, "price": PRICE, "promotion": 0.0}
        return {"store_id": store, "item_id": item, **known}

    def body(self, number: int) -> bytes:
        return json.dumps({"dataframe_records": [self.row(number)]}).encode()

    def register(self, numbers: Iterable[int], version: int) -> Iterator[int]:
        """Make a version of these groups champion; yields each number once that has happened."""
        listed = list(numbers)
        outcomes = self.registry.register(
            (self._record(number, version) for number in listed), alias=CHAMPION
        )
        for number, outcome in zip(listed, outcomes, strict=True):
            if isinstance(outcome, RegistrationFailure) or outcome.version != version:
                raise SystemExit(f"group {number} was not registered: {outcome}")
            yield number

    def _record(self, number: int, version: int) -> ModelRecord:
        payload, _ = dump_payload(self.model(number, version))
        key = self.key(number)
        tags = {USE_CASE_TAG: USE_CASE.name, PARTITION_TAG: key[0]}
        tags |= dict(zip(USE_CASE.keys, key, strict=True))
        tags[PARTITION_KEY_TAG] = group_key(USE_CASE.keys, key)
        name = model_name(USE_CASE.name, USE_CASE.keys, key)
        return ModelRecord(name, payload, {"mase": 1.0}, {}, tags, USE_CASE.keys)

    def _base(self, number: int, version: int) -> int:
        return (number + STEP * (version - 1)) % len(self.models)


def make_fleet(folder: Path, count: int, trained: int = 200) -> Fleet:
    """Train some models, and register ``count`` champions in a new registry in ``folder``."""
    models = _train(trained)
    frequency = USE_CASE.frequency
    date = str(frequency.to_time(np.array([models[0].origin + AHEAD]))[0].astype("datetime64[D]"))
    row = pd.DataFrame({"date": [date], "price": [PRICE], "promotion": [0.0]})
    predictions = [float(model.predict(row)["prediction"].iloc[0]) for model in models]
    if len(set(predictions)) < len(predictions):
        raise SystemExit("two models say the same: a wrong answer would not be seen")
    file = folder / "benchmark.yaml"
    file.write_text(yaml.safe_dump(USE_CASE.model_dump(mode="json", exclude_defaults=True)))
    registry = MlflowRegistry(
        f"sqlite:///{folder}/production.db", str(folder / "artifacts"), USE_CASE.name
    )
    fleet = Fleet(registry, file, count, models, predictions, date)
    for _ in fleet.register(range(count), 1):
        pass
    return fleet


def _train(count: int) -> list[ForecastModel]:
    sales = SimulatedSales(stores=-(-count // A_STORE), items=A_STORE, days=DAYS)
    table = sales.table().select(raw_columns(USE_CASE).names).cast(raw_columns(USE_CASE))
    through = np.datetime64(sales.end) - np.timedelta64(1, "D")
    rows = train_shard(table, USE_CASE, partition="", trained_through=through).to_pylist()
    payloads = [row["payload"] for row in rows if row["candidate"] == "ridge"]
    return [load_payload(payload, ForecastModel) for payload in payloads[:count]]
