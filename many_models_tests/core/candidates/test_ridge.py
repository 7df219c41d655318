from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn.linear_model

from many_models.core.candidates.ridge import PENALTIES, Ridge, fit_ridge
from many_models.core.dataset import Floats
from many_models_tests.core.candidates.samples import NAN, ahead, make_rows, sample_of


def _scores(x: Floats, y: Floats, penalty: float) -> tuple[float, Floats]:
    """Generalised cross-validation error and predictions of scikit-learn's ridge."""
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    model = sklearn.linear_model.Ridge(alpha=penalty * len(y)).fit(standardised, y)
    predictions = model.predict(standardised)
    gram = standardised @ standardised.T
    hat = gram @ np.linalg.inv(gram + len(y) * penalty * np.eye(len(y)))
    freedom = len(y) - 1 - np.trace(hat)
    return ((y - predictions) ** 2).sum() / freedom**2, predictions


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("shape", [(60, 6), (12, 6), (15, 25)])
def test_ridge_is_scikit_learns_at_the_penalty_with_the_least_cross_validation_error(
    shape: tuple[int, int], seed: int
) -> None:
    x, y, linear = make_rows(*shape, seed)
    by_penalty = [_scores(x, y, penalty) for penalty in PENALTIES]
    _, expected = min(by_penalty, key=lambda scored: scored[0])
    found = fit_ridge(sample_of(x, y, linear)).predict(ahead(x, y))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_ridge_does_not_care_for_units() -> None:
    x, y, linear = make_rows(100, 4)
    plain, scaled = (
        fit_ridge(sample_of(x, y, linear)),
        fit_ridge(sample_of(x * 1e-12, y * 1e12, linear)),
    )
    np.testing.assert_allclose(
        scaled.predict(ahead(x * 1e-12, y)),
        plain.predict(ahead(x, y)) * 1e12,
        rtol=1e-8,
    )


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -3e15])
def test_a_constant_feature_gets_no_weight_whatever_its_value(constant: float) -> None:
    x, y, linear = make_rows(60, 3)
    x[:, 1] = constant
    model = fit_ridge(sample_of(x, y, linear))
    changed = x.copy()
    changed[:, 1] += 1e3
    assert model.coefficients[1] == 0
    np.testing.assert_array_equal(model.predict(ahead(changed, y)), model.predict(ahead(x, y)))


def test_a_missing_feature_counts_as_its_mean() -> None:
    x, y, linear = make_rows(60, 3)
    x[::4, 1] = NAN
    model = fit_ridge(sample_of(x, y, linear))
    mean = np.nanmean(x[:, 1])
    np.testing.assert_allclose(
        model.predict(ahead(np.array([[1, NAN, 2]]), y)),
        model.predict(ahead(np.array([[1, mean, 2]]), y)),
    )
    assert np.isfinite(model.predict(ahead(x, y))).all()


def test_ridge_without_any_usable_feature_predicts_the_mean() -> None:
    y = np.arange(12.0)
    model = fit_ridge(sample_of(np.full((12, 2), NAN), y, np.array([True, True])))
    assert model.predict(ahead(np.ones((3, 2)), y[:3])).tolist() == [5.5] * 3
    model = fit_ridge(sample_of(np.ones((12, 2)), y, np.array([False, False])))
    assert model.predict(ahead(np.ones((3, 2)), y[:3])).tolist() == [5.5] * 3


def test_ridge_ignores_what_is_not_for_linear_models() -> None:
    x, y, _ = make_rows(60, 3)
    model = fit_ridge(sample_of(x, y, np.array([True, False, True])))
    x[:, 1] = 1e9
    without = fit_ridge(sample_of(x[:, [0, 2]], y, np.array([True, True])))
    np.testing.assert_array_equal(
        model.predict(ahead(x, y)), without.predict(ahead(x[:, [0, 2]], y))
    )


def test_ridge_of_a_constant_target_predicts_it() -> None:
    x, _, linear = make_rows(60, 3)
    np.testing.assert_allclose(
        fit_ridge(sample_of(x, np.full(60, 7.0), linear)).predict(ahead(x, x[:, 0])), 7
    )


def test_ridge_survives_pickling() -> None:
    x, y, linear = make_rows(50, 3)
    model = fit_ridge(sample_of(x, y, linear))
    loaded: Ridge = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(ahead(x, y)), model.predict(ahead(x, y)))
