"""Which candidates there are, and what each of them must do, whatever the series."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from many_models.core.candidates.catalogue import CANDIDATES
from many_models.core.candidates.description import BUILT_IN
from many_models.core.candidates.port import Outlook, Sample
from many_models.core.dataset import Floats
from many_models_tests.core.candidates.samples import NAN

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
NAMES = sorted(CANDIDATES)
ORIGIN = 1_000


def _sample(y: Floats, season: int = 7) -> Sample:
    x = np.random.default_rng(len(y)).normal(size=(len(y), 4))
    x[:, 2] = NAN  # a known feature without any value
    linear = np.array([True, True, True, False])
    return Sample(x, y, linear, season, HORIZON, ORIGIN)


def _outlook(history: Floats, origin: int = ORIGIN) -> Outlook:
    return Outlook(np.ones((HORIZON, 4)), np.full(HORIZON, 2.0), history, origin)


@pytest.mark.parametrize("season", [1, 4, 7, 12, 24, 52])
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("name", NAMES)
def test_it_forecasts_the_horizon_in_finite_numbers(name: str, series: str, season: int) -> None:
    y = SERIES[series]
    forecast = CANDIDATES[name](_sample(y, season)).predict(_outlook(y))
    assert forecast.shape == (HORIZON,)
    assert np.isfinite(forecast).all()


@pytest.mark.parametrize("name", NAMES)
def test_it_forecasts_the_same_from_its_pickle_and_from_no_more_than_its_memory(name: str) -> None:
    fitted = CANDIDATES[name](_sample(WEEKS))
    expected = fitted.predict(_outlook(WEEKS))
    loaded = pickle.loads(pickle.dumps(fitted))
    recent = WEEKS[len(WEEKS) - fitted.memory :]
    np.testing.assert_array_equal(loaded.predict(_outlook(recent)), expected)
    longer = np.concatenate([np.full(30, 1e6), WEEKS])
    np.testing.assert_array_equal(fitted.predict(_outlook(longer)), expected)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_one_pickle_however_often_it_is_fitted_and_used(name: str) -> None:
    first, second = (CANDIDATES[name](_sample(WEEKS)) for _ in range(2))
    payload = pickle.dumps(first)
    first.predict(_outlook(WEEKS))
    assert pickle.dumps(first) == pickle.dumps(second) == payload
    assert len(payload) < 20_000


@pytest.mark.parametrize(
    "name", sorted(set(NAMES) - {"seasonal_naive", "ridge", "gradient_boosting"})
)
def test_a_later_origin_sees_later_data(name: str) -> None:
    """Those that take their level from the target's past do, without a new fit."""
    walk = 100 + np.random.default_rng(1).normal(size=120).cumsum()
    fitted = CANDIDATES[name](_sample(walk, season=1))
    later = np.concatenate([walk, np.full(60, 500.0)])
    moved = fitted.predict(_outlook(later, ORIGIN + 60))
    assert moved.mean() > 1.3 * fitted.predict(_outlook(walk)).mean()


@pytest.mark.parametrize("name", NAMES)
def test_it_leaves_what_it_is_given_as_it_was(name: str) -> None:
    y = SERIES["a third missing"]
    sample, outlook = _sample(y), _outlook(y)
    copies = replace(sample, x=sample.x.copy(), y=y.copy()), replace(outlook, x=outlook.x.copy())
    CANDIDATES[name](sample).predict(outlook)
    np.testing.assert_array_equal(sample.x, copies[0].x)
    np.testing.assert_array_equal(sample.y, copies[0].y)
    np.testing.assert_array_equal(outlook.x, copies[1].x)


@pytest.mark.parametrize("name", ["croston", "sba", "tsb"])
def test_intermittent_demand_is_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match="the target is negative, and intermittent demand cannot"):
        CANDIDATES[name](_sample(WEEKS - 60))


def test_every_candidate_that_a_use_case_may_name_exists() -> None:
    assert set(CANDIDATES) == set(BUILT_IN)
