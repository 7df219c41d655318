from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from many_models.adapters.registry.mlflow_registry import MlflowRegistry
from many_models.core.forecast.model import load_model
from many_models.core.forecast.pooled.model import load_pooled
from many_models.core.keys import pooled_name
from many_models.core.registration import CHAMPION, PARTITION_KEY_TAG, POOLED_TAG
from many_models.core.rollback import Rollback
from many_models.steps.promote import find_unqualified
from many_models.steps.rollback import Selection, carry_out, plan
from many_models.steps.score import ScoredOrigin
from many_models.steps.status import read_status
from many_models_tests.fakes import Columns, make_series, make_use_case
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

START, ORIGIN = datetime(2024, 1, 1), datetime(2024, 4, 9)
DAYS = 100
USE_CASE = make_use_case(
    candidates=["seasonal_naive", "mean", "pooled"],
    prediction_floor=0,
    validation={"min_observations": 60, "levels": [0.8]},
)
NAME = pooled_name("sales", "s1")


def _series(level: float, seed: int, days: int = DAYS) -> Columns:
    """The same weekly shape at every level, and so much noise that the last week misleads."""
    number = np.arange(DAYS)
    shape = 1 + 0.5 * np.sin(2 * np.pi * number / 7)
    noise = np.random.default_rng(seed).lognormal(0, 0.5, DAYS)
    start = str((ORIGIN - timedelta(days=days - 1)).date())
    return make_series(USE_CASE, start, (level * shape * noise)[DAYS - days :].tolist())


OLD: dict[tuple[str, ...], Columns] = {
    ("s1", f"old {n:02d}"): _series(2.0 ** (n % 6), n) for n in range(12)
}
YOUNG: dict[tuple[str, ...], Columns] = {
    ("s1", "week old"): _series(50, 50, days=7),
    ("s1", "new"): _series(50, 51, days=1),
    ("s1", "not yet"): make_series(USE_CASE, "2024-04-09", [None]),
    ("s1", "infinite"): make_series(USE_CASE, "2024-04-01", [float("inf")]),
}
FEW: dict[tuple[str, ...], Columns] = {
    **{("s2", f"old {n}"): _series(10, 70 + n) for n in range(3)},
    ("s2", "young"): _series(10, 80, days=9),
}


@dataclass(frozen=True)
class _Finished:
    pipeline: Pipeline
    scored: ScoredOrigin

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        return {str(row["group_key"]): row for row in self.pipeline.rows(table)}


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, spark: SparkSession, empty_registry_database: Path
) -> _Finished:
    folder = tmp_path_factory.mktemp("pooled") / "pipeline"
    pipeline = Pipeline.create(folder, USE_CASE, spark, empty_registry_database)
    pipeline.ingest(OLD | YOUNG | FEW)
    pipeline.group("s1", "s2")
    pipeline.train("s1", "s2")
    pipeline.promote("s1", "s2")
    return _Finished(pipeline, pipeline.score(ORIGIN))


def _key(key: tuple[str, ...]) -> str:
    return f"store={key[0]},item={key[1]}"


def test_every_group_is_in_the_ledger_once_and_the_pooled_model_is_not(finished: _Finished) -> None:
    keys = [str(row["group_key"]) for row in finished.pipeline.rows("ledger")]
    assert sorted(keys) == sorted(_key(key) for key in OLD | YOUNG | FEW)


def test_it_is_a_candidate_where_there_are_groups_enough(finished: _Finished) -> None:
    tried = {
        key: set(json.loads(row["candidate_scores"]))
        for key, row in finished.rows("ledger").items()
        if row["status"] == "trained"
    }
    assert {key: "pooled" in names for key, names in tried.items()} == {
        _key(key): key[0] == "s1" for key in (*OLD, *list(FEW)[:3])
    }


def test_a_partition_with_groups_enough_has_one_that_is_promoted(finished: _Finished) -> None:
    table = finished.pipeline.results.store.query('SELECT * FROM "sales_pooled"').to_pylist()
    (row,) = table
    assert (row["partition"], row["model_name"], row["groups_judged"]) == ("s1", NAME, len(OLD))
    assert row["score"] < row["baseline_score"]
    assert 0.7 < row["coverage"] <= 1
    champion = finished.pipeline.champions.champion(NAME)
    assert champion is not None
    assert champion.tags[POOLED_TAG] == "true"
    assert PARTITION_KEY_TAG not in champion.tags
    assert find_unqualified(
        USE_CASE, ["s1", "s2"], finished.pipeline.champions, finished.pipeline.results
    ) == {"s1": [], "s2": []}


def test_who_has_no_model_gets_the_pooled_one_or_the_baseline_and_it_is_told(
    finished: _Finished,
) -> None:
    found = finished.rows("scoring")
    told = {key: (found[_key(key)]["source"], found[_key(key)]["reason"]) for key in YOUNG | FEW}
    assert told[("s1", "week old")] == ("pooled", "no_champion")
    assert told[("s1", "new")] == ("pooled", "no_champion")
    assert told[("s1", "not yet")] == ("pooled", "no_observations")
    assert told[("s1", "infinite")] == ("none", "non_finite_value")
    assert told[("s2", "young")] == ("baseline", "no_champion")
    assert {found[_key(key)]["candidate"] for key in list(YOUNG)[:3]} == {"pooled"}
    assert {found[_key(key)]["model_name"] for key in list(YOUNG)[:3]} == {NAME}
    assert finished.scored.by_pooled == 3 + sum(
        found[_key(key)]["source"] == "pooled" for key in OLD
    )
    assert finished.scored.groups == len(found)


def test_what_it_predicts_is_of_the_groups_own_size_with_intervals(finished: _Finished) -> None:
    frame = pd.DataFrame(finished.pipeline.rows("predictions"))
    served = frame[frame["source"] == "pooled"]
    assert served[["prediction", "lower", "upper", "lower_80"]].notna().all().all()
    means = served.groupby("group_key")["prediction"].mean()
    assert 25 < means[_key(("s1", "week old"))] < 100
    assert 1 < means[_key(("s1", "not yet"))] < 32


def test_a_groups_own_model_that_chose_it_stands_alone_and_is_small(finished: _Finished) -> None:
    pipeline = finished.pipeline
    chosen = [
        version
        for version in pipeline.champions.champions("sales", ["s1"])
        if version.tags["candidate"] == "pooled" and PARTITION_KEY_TAG in version.tags
    ]
    assert len(chosen) >= 6
    (payload, *_) = (record.payload for record in map(pipeline.champions.read, chosen))
    assert len(payload) < 40_000
    model = load_model(payload)
    assert model.predict(model.example())["prediction"].gt(0).all()


def test_status_counts_it_apart(finished: _Finished) -> None:
    pipeline = finished.pipeline
    status = read_status(pipeline.results, pipeline.champions)
    assert (status.pooled_models, status.groups) == (1, len(OLD | YOUNG | FEW))
    assert status.champions == status.promoted <= status.trained
    assert status.pooled_predictions == finished.scored.by_pooled * USE_CASE.horizon


def test_its_version_forecasts_a_group_that_nobody_has_seen(finished: _Finished) -> None:
    version = finished.pipeline.champions.champion(NAME)
    assert version is not None
    model = load_pooled(finished.pipeline.champions.read(version).payload)
    assert model.predict(model.example())["prediction"].notna().tolist() == [False, *[True] * 3]


def test_mlflows_own_client_serves_it_with_or_without_keys_and_a_past(
    finished: _Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    production = finished.pipeline.production
    version = production.champion(NAME)
    assert version is not None
    record = production.read(version)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", production.uri)
    example = load_pooled(record.payload).example()
    for column in (None, "item", "sold"):
        rows = example if column is None else example.drop(columns=column)
        served = mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(rows)
        assert served["prediction"].notna().sum() >= 3


def test_a_registry_that_is_written_by_mlflows_client_takes_it_too(
    finished: _Finished,
    tmp_path: Path,
    empty_registry_database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import mlflow

    production = finished.pipeline.production
    version = production.champion(NAME)
    assert version is not None
    record = replace(production.read(version), files={})
    example = load_pooled(record.payload).example()
    shutil.copy(empty_registry_database, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    other = MlflowRegistry(uri, str(tmp_path / "artifacts"), "sales", allow_bulk=False)
    (outcome,) = other.register([record], example=example, alias=CHAMPION)
    assert outcome.name == NAME
    assert other.champions("sales", ["s1"]) == [other.champion(NAME)]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    served = mlflow.pyfunc.load_model(f"models:/{NAME}/1").predict(example)
    assert served["prediction"].notna().tolist() == [False, True, True, True]


def test_the_same_data_gives_the_same_model_again(
    finished: _Finished, tmp_path: Path, spark: SparkSession, empty_registry_database: Path
) -> None:
    again = Pipeline.create(tmp_path / "again", USE_CASE, spark, empty_registry_database)
    again.ingest(dict(reversed((OLD | YOUNG).items())))
    again.group("s1")
    again.train("s1")
    versions = [
        next(v for v in pipeline.training.versions("sales") if v.name == NAME)
        for pipeline in (finished.pipeline, again)
    ]
    digests = {version.tags["payload_sha256"] for version in versions}
    assert len(digests) == 1


def test_a_rollback_of_the_partition_takes_it_along(
    tmp_path: Path, spark: SparkSession, empty_registry_database: Path
) -> None:
    pipeline = Pipeline.create(tmp_path / "pipeline", USE_CASE, spark, empty_registry_database)
    pipeline.ingest(OLD | YOUNG)
    pipeline.group("s1")
    pipeline.train("s1")
    pipeline.promote("s1")
    found = plan(USE_CASE, Selection.of(partition="s1"), "r1", pipeline.production)
    assert NAME in {change.name for change in found.changes}
    now = datetime(2024, 5, 1)
    carry_out(
        USE_CASE,
        found,
        Rollback(id="r1", at=now, by="somebody", reason="a test"),
        production=pipeline.production,
        results=pipeline.results,
    )
    scored = pipeline.score(ORIGIN)
    assert (scored.by_model, scored.by_pooled) == (0, 0)
    assert Counter(row["source"] for row in pipeline.rows("scoring")) == {
        "baseline": len(OLD) + 2,
        "none": 2,
    }
