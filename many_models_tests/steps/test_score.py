from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from many_models.core.forecast.use_case import UseCase
from many_models.steps.score import ScoredOrigin, by_partition
from many_models_tests.fakes import Columns, make_series, make_use_case, noisy_weeks
from many_models_tests.fakes_models import file_of, overwrite_payload
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

DAYS, HORIZON = 100, 7
USE_CASE = make_use_case(
    features={"known": ["price"], "past": ["baskets"]},
    validation={"min_observations": 60, "levels": [0.8]},
    prediction_floor=0,
    promotion={"beat_baseline_by": 0.05},
)
START, ORIGIN = datetime(2024, 1, 1), datetime(2024, 4, 9)

Rows = list[dict[str, Any]]


def _series(*targets: float | None, seed: int = 0) -> Columns:
    """Past and, as far as the horizon goes, planned prices; some of them missing."""
    count = len(targets) + HORIZON
    prices: list[float | None] = (2 + np.random.default_rng(seed).random(count)).tolist()
    prices[-3] = None
    return make_series(
        USE_CASE,
        str((ORIGIN - timedelta(days=len(targets) - 1)).date()),
        [*targets, *[None] * HORIZON],
        price=prices,
        baskets=[*range(len(targets)), *[None] * HORIZON],
    )


GOOD: dict[tuple[str, ...], Columns] = {
    ("s1", "bread"): _series(*noisy_weeks(DAYS)),
    ("s1", "50% 🥝, 'kiwi'"): _series(*noisy_weeks(DAYS, seed=1), seed=1),
    ("s/2", "bread"): _series(*noisy_weeks(DAYS, seed=2), seed=2),
    ("s/2", "milk"): _series(*noisy_weeks(DAYS, seed=3), seed=3),
}
OTHERS: dict[tuple[str, ...], Columns] = {
    ("s1", "young"): _series(*noisy_weeks(20)),
    ("s1", "one row"): _series(3.0),
    ("s/2", "nothing"): _series(None),
    ("s/2", "infinite"): _series(*noisy_weeks(20)[1:], float("inf")),
}


@pytest.fixture(scope="module")
def served(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, empty_registry_database: Path
) -> Pipeline:
    """A pipeline whose champions are in production, and that has scored the last origin."""
    folder = tmp_path_factory.mktemp("served")
    pipeline = Pipeline.create(folder, USE_CASE, spark, empty_registry_database)
    pipeline.ingest(GOOD | OTHERS)
    pipeline.group("s1", "s/2")
    pipeline.train("s1", "s/2")
    pipeline.promote("s1", "s/2")
    pipeline.score(ORIGIN)
    return pipeline


@pytest.fixture
def results_as_before(served: Pipeline) -> Iterator[None]:
    """Puts the result store back after the test."""
    database, copy = served.folder / "results.db", served.folder / "results.copy"
    shutil.copyfile(database, copy)
    yield
    for left in served.folder.glob("results.db-*"):
        left.unlink()
    copy.replace(database)


def _scoring(pipeline: Pipeline, origin: datetime = ORIGIN) -> dict[tuple[str, ...], Any]:
    rows: Rows = pipeline.rows("scoring")
    found = [row for row in rows if row["origin"] == origin]
    assert len({row["group_key"] for row in found}) == len(found)
    return {(row["store"], row["item"]): row for row in found}


def _predictions(pipeline: Pipeline, origin: datetime = ORIGIN) -> Rows:
    rows: Rows = pipeline.rows("predictions")
    return [row for row in rows if row["origin"] == origin]


def test_every_group_is_served_once_by_its_champion_or_the_baseline(served: Pipeline) -> None:
    found = {key: (row["source"], row["reason"]) for key, row in _scoring(served).items()}
    assert found == {
        **dict.fromkeys(GOOD, ("model", None)),
        ("s1", "young"): ("baseline", "no_champion"),
        ("s1", "one row"): ("baseline", "no_champion"),
        ("s/2", "nothing"): ("none", "no_observations"),
        ("s/2", "infinite"): ("none", "non_finite_value"),
    }
    rows = _predictions(served)
    counts = Counter((row["store"], row["item"], row["source"]) for row in rows)
    served_by = {key: source for key, (source, _) in found.items() if source != "none"}
    assert counts == {(*key, source): HORIZON for key, source in served_by.items()}
    assert {row["time"] for row in rows} == {
        ORIGIN + timedelta(days=ahead) for ahead in range(1, HORIZON + 1)
    }
    assert all(row["prediction"] is not None for row in rows)


def test_every_forecast_names_its_model_and_version(served: Pipeline) -> None:
    champions = {
        key: (version.name, version.version)
        for by_key in by_partition(served.production.champions(USE_CASE.name)).values()
        for key, version in by_key.items()
    }
    assert len(champions) == len(GOOD)
    for row in [*_predictions(served), *_scoring(served).values()]:
        named = (row["model_name"], row["model_version"])
        expected = champions[row["group_key"]] if row["source"] == "model" else (None, None)
        assert named == expected


def test_champions_are_found_by_partition_and_key(served: Pipeline) -> None:
    found = by_partition(served.production.champions(USE_CASE.name))
    assert {partition: set(by_key) for partition, by_key in found.items()} == {
        "s1": {"store=s1,item=bread", "store=s1,item=50%25 🥝%2C 'kiwi'"},
        "s/2": {"store=s/2,item=bread", "store=s/2,item=milk"},
    }


@pytest.mark.parametrize("key", GOOD)
def test_batch_forecasts_are_those_of_a_stock_client(
    served: Pipeline, key: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.production.uri)
    name = _scoring(served)[key]["model_name"]
    future = pd.DataFrame({column: GOOD[key][column][-HORIZON:] for column in ("date", "price")})
    model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    expected = model.predict(future.astype({"date": "datetime64[us]", "price": float}))
    rows = [row for row in _predictions(served) if (row["store"], row["item"]) == key]
    found = pd.DataFrame(rows)[["prediction", "lower", "upper", "lower_80", "upper_80"]]
    assert list(expected.columns) == list(found.columns)
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-12)


def test_scoring_an_origin_again_replaces_its_slice_by_the_same(
    served: Pipeline, results_as_before: None
) -> None:
    before = served.rows("predictions"), served.rows("scoring")
    served.results.store.replace_slice(
        served.results.name("predictions"),
        served.results.store.query(
            f'SELECT * FROM "{served.results.name("predictions")}" WHERE periods_ahead > 2'
        ),
        where={"origin": str(ORIGIN)},
    )
    assert len(_predictions(served)) < len(before[0])
    scored = served.score(ORIGIN, "again")
    assert scored == ScoredOrigin(
        groups=8, by_model=4, by_pooled=0, by_baseline=2, unserved=2, rows=42
    )
    assert (served.rows("predictions"), served.rows("scoring")) == before


def test_another_origin_has_a_slice_of_its_own(served: Pipeline, results_as_before: None) -> None:
    before = _predictions(served)
    earlier = ORIGIN - timedelta(days=2)

    served.score(earlier)

    assert _predictions(served) == before
    found = _scoring(served, earlier)
    assert len(found) == len(GOOD | OTHERS)
    # The champions have seen what came after that origin.
    assert {found[key]["reason"] for key in GOOD} == {"champion_failed"}
    assert {found[key]["source"] for key in GOOD} == {"baseline"}


def test_scoring_needs_nothing_of_the_training_registry(
    served: Pipeline, results_as_before: None
) -> None:
    before = served.rows("predictions")
    (served.folder / "training").rename(served.folder / "gone")
    try:
        served.score(ORIGIN)
    finally:
        (served.folder / "gone").rename(served.folder / "training")
    assert served.rows("predictions") == before


def test_a_model_that_was_changed_is_not_loaded_and_the_baseline_stands_in(
    served: Pipeline, results_as_before: None
) -> None:
    before = _scoring(served)
    champion = by_partition(served.production.champions(USE_CASE.name))["s1"]["store=s1,item=bread"]
    file, touched = file_of(champion), served.folder / "touched"
    content = file.read_bytes()
    overwrite_payload(champion, f"cposix\nsystem\n(S'touch {touched}'\ntR.".encode())
    try:
        served.score(ORIGIN)
    finally:
        file.write_bytes(content)
    assert not touched.exists()
    after = _scoring(served)
    row = after.pop(("s1", "bread"))
    assert (row["source"], row["reason"]) == ("baseline", "champion_failed")
    assert champion.name in row["error"]
    assert "SHA-256" in row["error"]
    assert after == {key: row for key, row in before.items() if key != ("s1", "bread")}


def test_without_any_champion_the_baseline_serves_and_no_scratch_is_left(
    make_pipeline: Callable[[UseCase], Pipeline],
) -> None:
    pipeline = make_pipeline(USE_CASE)
    pipeline.ingest({key: GOOD[key] for key in GOOD})
    pipeline.group("s1", "s/2")

    scored = pipeline.score(ORIGIN)

    assert scored == ScoredOrigin(
        groups=4, by_model=0, by_pooled=0, by_baseline=4, unserved=0, rows=28
    )
    last_week = [GOOD["s/2", "milk"]["sold"][row] for row in range(DAYS - HORIZON, DAYS)]
    rows = [row for row in _predictions(pipeline) if row["item"] == "milk"]
    assert json.dumps([row["prediction"] for row in rows]) == json.dumps(last_week)
    scratch = Path(pipeline.lake.root, USE_CASE.name, "scratch")
    assert [path for path in scratch.iterdir() if not path.name.startswith(".")] == []
