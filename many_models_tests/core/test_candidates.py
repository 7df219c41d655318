from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pytest
import sklearn.linear_model

from many_models.core.candidates import (
    CANDIDATES,
    RIDGE_PENALTIES,
    Ridge,
    SeasonalNaive,
    fit_gradient_boosting,
    fit_ridge,
    forecast,
)
from many_models.core.dataset import Flags, Floats
from many_models.core.use_case import CandidateName

NAN = float("nan")


def _data(rows: int, columns: int, seed: int = 0) -> tuple[Floats, Floats, Flags]:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(rows, columns)) * np.logspace(-3, 3, columns)
    weights = chance.normal(size=columns) / x.std(axis=0)
    return x, x @ weights + chance.normal(size=rows) + 20, np.ones(columns, dtype=bool)


def _scores(x: Floats, y: Floats, penalty: float) -> tuple[float, Floats]:
    """Generalised cross-validation error and predictions of scikit-learn's ridge."""
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    model = sklearn.linear_model.Ridge(alpha=penalty * len(y)).fit(standardised, y)
    predictions = model.predict(standardised)
    gram = standardised @ standardised.T
    hat = gram @ np.linalg.inv(gram + len(y) * penalty * np.eye(len(y)))
    freedom = len(y) - 1 - np.trace(hat)
    return ((y - predictions) ** 2).sum() / freedom**2, predictions


def test_every_candidate_that_a_use_case_may_name_exists() -> None:
    assert set(CANDIDATES) == set(get_args(CandidateName))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("shape", [(60, 6), (12, 6), (15, 25)])
def test_ridge_is_scikit_learns_at_the_penalty_with_the_least_cross_validation_error(
    shape: tuple[int, int], seed: int
) -> None:
    x, y, linear = _data(*shape, seed)
    by_penalty = [_scores(x, y, penalty) for penalty in RIDGE_PENALTIES]
    _, expected = min(by_penalty, key=lambda scored: scored[0])
    found = fit_ridge(x, y, linear).predict(x, y)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_ridge_does_not_care_for_units() -> None:
    x, y, linear = _data(100, 4)
    plain, scaled = fit_ridge(x, y, linear), fit_ridge(x * 1e-12, y * 1e12, linear)
    np.testing.assert_allclose(scaled.predict(x * 1e-12, y), plain.predict(x, y) * 1e12, rtol=1e-8)


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -3e15])
def test_a_constant_feature_gets_no_weight_whatever_its_value(constant: float) -> None:
    x, y, linear = _data(60, 3)
    x[:, 1] = constant
    model = fit_ridge(x, y, linear)
    changed = x.copy()
    changed[:, 1] += 1e3
    assert model.coefficients[1] == 0
    np.testing.assert_array_equal(model.predict(changed, y), model.predict(x, y))


def test_a_missing_feature_counts_as_its_mean() -> None:
    x, y, linear = _data(60, 3)
    x[::4, 1] = NAN
    model = fit_ridge(x, y, linear)
    mean = np.nanmean(x[:, 1])
    np.testing.assert_allclose(
        model.predict(np.array([[1, NAN, 2]]), y), model.predict(np.array([[1, mean, 2]]), y)
    )
    assert np.isfinite(model.predict(x, y)).all()


def test_ridge_without_any_usable_feature_predicts_the_mean() -> None:
    y = np.arange(12.0)
    model = fit_ridge(np.full((12, 2), NAN), y, np.array([True, True]))
    assert model.predict(np.ones((3, 2)), y[:3]).tolist() == [5.5] * 3
    model = fit_ridge(np.ones((12, 2)), y, np.array([False, False]))
    assert model.predict(np.ones((3, 2)), y[:3]).tolist() == [5.5] * 3


def test_ridge_ignores_what_is_not_for_linear_models() -> None:
    x, y, _ = _data(60, 3)
    model = fit_ridge(x, y, np.array([True, False, True]))
    x[:, 1] = 1e9
    without = fit_ridge(x[:, [0, 2]], y, np.array([True, True]))
    np.testing.assert_array_equal(model.predict(x, y), without.predict(x[:, [0, 2]], y))


def test_ridge_of_a_constant_target_predicts_it() -> None:
    x, _, linear = _data(60, 3)
    np.testing.assert_allclose(fit_ridge(x, np.full(60, 7.0), linear).predict(x, x[:, 0]), 7)


def test_gradient_boosting_learns_a_step_that_a_line_cannot() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = np.where(np.abs(x[:, 0]) > 0.5, 10.0, 0.0)
    flags = np.array([True, True])
    trees, line = (fit(x, y, flags).predict(x, y) for fit in (fit_gradient_boosting, fit_ridge))
    assert np.abs(trees - y).mean() < 0.5 < np.abs(line - y).mean()


@pytest.mark.parametrize("rows", [10, 300])
def test_gradient_boosting_predicts_the_same_from_its_pickle(rows: int) -> None:
    x, y, linear = _data(rows, 4)
    x[::7, 2] = NAN
    model = fit_gradient_boosting(x, y, linear)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(x, y), model.predict(x, y))


def test_gradient_boosting_has_one_pickle_however_often_it_is_fitted_used_and_loaded() -> None:
    x, y, linear = _data(300, 4)
    first, second = fit_gradient_boosting(x, y, linear), fit_gradient_boosting(x.copy(), y, linear)
    payload = pickle.dumps(first)
    assert pickle.dumps(second) == payload
    first.predict(x, y)
    loaded = pickle.loads(payload)
    loaded.predict(x, y)
    assert pickle.dumps(first) == pickle.dumps(loaded) == payload


def test_candidates_leave_their_input_as_it_was() -> None:
    x, y, linear = _data(50, 3)
    x[3, 1] = NAN
    before = x.copy(), y.copy(), linear.copy()
    for fit in CANDIDATES.values():
        fit(x, y, linear).predict(x, y)
    for array, copy in zip((x, y, linear), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_seasonal_naive_passes_on_the_naive_forecast() -> None:
    naive = np.array([1.0, 2.0])
    assert SeasonalNaive().predict(np.empty((2, 0)), naive).tolist() == [1, 2]


@dataclass
class _Says:
    values: list[float]

    def predict(self, x: Floats, naive: Floats) -> Floats:
        return np.array(self.values)


def test_a_forecast_is_nowhere_below_the_floor() -> None:
    nothing = np.empty((3, 0))
    assert forecast(_Says([-1, 0, 5]), nothing, nothing, 0.0).tolist() == [0, 0, 5]
    assert forecast(_Says([-1, 0, 5]), nothing, nothing, None).tolist() == [-1, 0, 5]


@pytest.mark.parametrize("bad", [NAN, float("inf"), float("-inf")])
def test_a_forecast_that_is_not_finite_is_an_error(bad: float) -> None:
    nothing = np.empty((2, 0))
    with pytest.raises(ValueError, match="the forecast is not finite"):
        forecast(_Says([1, bad]), nothing, nothing, 0.0)


def test_ridge_survives_pickling() -> None:
    x, y, linear = _data(50, 3)
    model = fit_ridge(x, y, linear)
    loaded: Ridge = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(x, y), model.predict(x, y))
