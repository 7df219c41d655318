"""Which candidates there are, and what each of them must do, whatever the series."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.catalogue import (
    CANDIDATES,
    find_candidate,
    make_candidate,
)
from many_models.core.forecast.candidates.description import BUILT_IN, POOLED, ForecastCandidate
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.model import load_model
from many_models.core.forecast.training import train_shard
from many_models_tests.core.forecast.candidates.samples import NAN
from many_models_tests.fakes import make_series, make_shard, make_use_case


def make_pipeline_of_ones_own() -> Pipeline:
    return make_pipeline(SimpleImputer(keep_empty_features=True), LinearRegression())


HORIZON = 14
CHANCE = np.random.default_rng(0)
WEEKS = 50 + 10 * np.sin(np.arange(120) * 2 * np.pi / 7) + CHANCE.normal(size=120)
SERIES = {
    "one row": np.array([5.0]),
    "two rows": np.array([5.0, 6.0]),
    "a handful of rows": np.arange(8.0),
    "all equal": np.full(120, 3.0),
    "all zero": np.zeros(120),
    "a level shift": np.concatenate([WEEKS[:100], WEEKS[100:] + 500]),
    "a scale of 1e9": WEEKS * 1e9,
    "a scale of 1e-9": WEEKS * 1e-9,
    "a third missing": np.where(CHANCE.random(120) < 0.3, NAN, WEEKS),
    "three values": np.where(np.arange(120) % 40 == 39, WEEKS, NAN),
    "nothing at its ends": np.concatenate([[NAN], WEEKS, [NAN]]),
    "mostly zero": np.where(CHANCE.random(120) < 0.9, 0.0, 5.0),
    "one demand": np.concatenate([np.zeros(119), [4.0]]),
}
DESCRIBED: dict[str, Any] = {
    "log_ridge": {"estimator": "ridge", "with": {"log_target": True, "half_life": 30}},
    "forest": {
        "estimator": "sklearn.ensemble.RandomForestRegressor",
        "with": {"n_estimators": 5},
    },
    "lasso": {"estimator": "sklearn.linear_model.Lasso"},
    "pipeline": {"estimator": f"{__name__}.make_pipeline_of_ones_own"},
}
FOUND = {
    **CANDIDATES,
    **{
        name: make_candidate(ForecastCandidate.model_validate({"name": name, **described}))
        for name, described in DESCRIBED.items()
    },
}
NAMES = sorted(FOUND)
ORIGIN = 1_000


def _sample(y: Floats, season: int = 7) -> Sample:
    x = np.random.default_rng(len(y)).normal(size=(len(y), 4))
    x[:, 2] = NAN  # a known feature without any value
    linear = np.array([True, True, True, False])
    crossed = ((0, 1), (2, 1))
    return Sample(x, y, linear, season, HORIZON, ORIGIN, lagged=(1,), crossed=crossed)


def _outlook(history: Floats, origin: int = ORIGIN) -> Outlook:
    return Outlook(np.ones((HORIZON, 4)), np.full(HORIZON, 2.0), history, origin)


@pytest.mark.parametrize("season", [1, 4, 7, 12, 24, 52])
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("name", NAMES)
def test_it_forecasts_the_horizon_in_finite_numbers(name: str, series: str, season: int) -> None:
    y = SERIES[series]
    forecast = FOUND[name](_sample(y, season)).predict(_outlook(y))
    assert forecast.shape == (HORIZON,)
    assert np.isfinite(forecast).all()


@pytest.mark.parametrize("name", NAMES)
def test_it_forecasts_the_same_from_its_pickle_and_from_no_more_than_its_memory(name: str) -> None:
    fitted = FOUND[name](_sample(WEEKS))
    expected = fitted.predict(_outlook(WEEKS))
    loaded = pickle.loads(pickle.dumps(fitted))
    recent = WEEKS[len(WEEKS) - fitted.memory :]
    np.testing.assert_array_equal(loaded.predict(_outlook(recent)), expected)
    longer = np.concatenate([np.full(30, 1e6), WEEKS])
    np.testing.assert_array_equal(fitted.predict(_outlook(longer)), expected)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_one_pickle_however_often_it_is_fitted_and_used(name: str) -> None:
    first, second = (FOUND[name](_sample(WEEKS)) for _ in range(2))
    payload = pickle.dumps(first)
    first.predict(_outlook(WEEKS))
    assert pickle.dumps(first) == pickle.dumps(second) == payload
    assert len(payload) < 20_000 or name == "forest"


@pytest.mark.parametrize(
    "name", sorted(set(CANDIDATES) - {"seasonal_naive", "ridge", "gradient_boosting"})
)
def test_a_later_origin_sees_later_data(name: str) -> None:
    """Those that take their level from the target's past do, without a new fit."""
    walk = 100 + np.random.default_rng(1).normal(size=120).cumsum()
    fitted = FOUND[name](_sample(walk, season=1))
    later = np.concatenate([walk, np.full(60, 500.0)])
    moved = fitted.predict(_outlook(later, ORIGIN + 60))
    assert moved.mean() > 1.3 * fitted.predict(_outlook(walk)).mean()


@pytest.mark.parametrize("name", NAMES)
def test_it_leaves_what_it_is_given_as_it_was(name: str) -> None:
    y = SERIES["a third missing"]
    sample, outlook = _sample(y), _outlook(y)
    copies = replace(sample, x=sample.x.copy(), y=y.copy()), replace(outlook, x=outlook.x.copy())
    FOUND[name](sample).predict(outlook)
    np.testing.assert_array_equal(sample.x, copies[0].x)
    np.testing.assert_array_equal(sample.y, copies[0].y)
    np.testing.assert_array_equal(outlook.x, copies[1].x)


@pytest.mark.parametrize("name", ["croston", "sba", "tsb"])
def test_intermittent_demand_is_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match="the target is negative, and intermittent demand cannot"):
        FOUND[name](_sample(WEEKS - 60))


def test_every_candidate_that_a_use_case_may_name_exists() -> None:
    assert {*CANDIDATES, POOLED} == set(BUILT_IN)


def test_a_name_means_what_the_use_case_describes_else_what_the_platform_has() -> None:
    mine = ForecastCandidate.model_validate({"name": "mine", "estimator": "mean"})
    assert find_candidate("mine", (mine,)) is CANDIDATES["mean"]
    assert find_candidate("ridge", (mine,)) is CANDIDATES["ridge"]
    with pytest.raises(KeyError):
        find_candidate("yours", (mine,))


# --- The same candidates in whole groups, from rows to scores -------------------------------------


def _scores(
    code: str, start: str, values: Floats, horizon: int, *, gaps: str = "missing", **columns: Any
) -> dict[str, float]:
    """Score of each candidate on one group with these values, of which the last are judged."""
    use_case = make_use_case(
        time={"column": "date", "frequency": code},
        horizon=horizon,
        gaps=gaps,
        features={"known": sorted(columns)},
        candidates=[*CANDIDATES, *({"name": n, **given} for n, given in DESCRIBED.items())],
        ensembles=False,
        validation={"folds": 2, "min_observations": 8},
    )
    series = make_series(use_case, start, values.tolist(), **columns)
    there = ~np.isnan(values)
    present = {
        name: [value for value, keep in zip(column, there, strict=True) if keep]
        for name, column in series.items()
    }
    through = np.datetime64(series["date"][-1])
    shard = make_shard(use_case, {("1", "a"): present})
    row = train_shard(shard, use_case, partition="p", trained_through=through).to_pylist()[0]
    assert (row["status"], row["error"]) == ("trained", None)
    scores: dict[str, float] = json.loads(row["candidate_scores"])
    assert scores.keys() == set(NAMES)
    model = load_model(row["payload"])
    assert np.isfinite(model.predict(model.example(horizon))).all(axis=None)
    return scores


def _noise(count: int) -> Floats:
    return np.random.default_rng(count).normal(size=count)


@pytest.mark.parametrize("ending", ["2024-02-28", "2024-02-29", "2024-03-14"])
def test_it_forecasts_over_a_leap_day(ending: str) -> None:
    day = np.arange(np.datetime64(ending) - 799, np.datetime64(ending) + 1)
    angle = 2 * np.pi * day.astype(int)
    values = 50 + 10 * np.sin(angle / 7) + 10 * np.sin(angle / 365.25) + _noise(800)
    scores = _scores("D", str(day[0]), values, horizon=14)
    assert scores["ridge"] < 0.9 * scores["seasonal_naive"]
    assert scores["log_ridge"] < 0.9 * scores["seasonal_naive"]


@pytest.mark.parametrize("gaps", ["zero", "missing"])
@pytest.mark.parametrize("missing", [None, "2024-03-31T02"], ids=["UTC", "an hour is skipped"])
def test_it_forecasts_hours_over_the_start_of_summer_time(missing: str | None, gaps: str) -> None:
    hours = np.arange(np.datetime64("2024-03-20T00"), np.datetime64("2024-04-03T00"))
    values = 50 + 20 * np.sin(2 * np.pi * hours.astype(int) / 24) + _noise(len(hours))
    if missing:
        values[hours == np.datetime64(missing)] = NAN
    scores = _scores("h", str(hours[0]), values, horizon=24, gaps=gaps)
    assert scores["ridge"] < scores["seasonal_naive"]


@pytest.mark.parametrize(
    ("code", "start", "count", "horizon"),
    [
        ("W-MON", "2021-01-04", 170, 8),
        ("W-SUN", "2023-06-04", 90, 4),
        ("MS", "2015-01-01", 110, 12),
        ("QS", "2010-01-01", 50, 4),
        ("YS", "1980-01-01", 30, 3),
    ],
)
def test_it_forecasts_weeks_months_quarters_and_years(
    code: str, start: str, count: int, horizon: int
) -> None:
    season = {"W": 52, "M": 12, "Q": 4, "Y": 9}[code[0]]
    values = 80 + 20 * np.sin(2 * np.pi * np.arange(count) / season) + _noise(count)
    scores = _scores(code, start, values, horizon)
    assert np.isfinite(list(scores.values())).all()


@pytest.mark.parametrize("scale", [1e9, 1e-9])
def test_it_forecasts_at_any_scale_of_target_and_known_features(scale: float) -> None:
    values = 50 + 10 * np.sin(np.arange(150) * 2 * np.pi / 7) + _noise(150)
    offer = np.random.default_rng(0).integers(0, 2, 150) * 5.0
    small, plain = (
        _scores("D", "2024-01-01", (values + offer) * by, 14, offer=(offer * by).tolist())
        for by in (scale, 1.0)
    )
    for name in ("ridge", "gradient_boosting", "ets", "ces", "seasonal_naive"):
        assert small[name] == pytest.approx(plain[name], rel=0.02)


def test_it_forecasts_with_known_features_that_are_missing_or_were_never_seen_before() -> None:
    """A category comes as a number or as flags; one is new in each fold, another never there."""
    values = 50 + 10 * np.sin(np.arange(150) * 2 * np.pi / 7) + _noise(150)
    holes = np.where(np.arange(150) % 3 == 0, NAN, _noise(150))
    _scores(
        "D",
        "2024-01-01",
        values,
        horizon=14,
        holes=holes.tolist(),
        nothing=[NAN] * 150,
        new_flag=(np.arange(150) >= 122).astype(float).tolist(),
        new_number=np.where(np.arange(150) >= 136, 9.0, np.arange(150) % 2).tolist(),
    )
