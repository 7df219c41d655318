from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from many_models.core.forecast.candidates.estimator import SEED, fit_estimator
from many_models.core.forecast.candidates.terms import Terms
from many_models_tests.core.forecast.candidates.samples import NAN, ahead, make_rows, sample_of

FOREST = "sklearn.ensemble.RandomForestRegressor"


def count_missing() -> Pipeline:
    """A Pipeline of a company's own: it sees what is missing."""
    missing = FunctionTransformer(lambda x: np.isnan(x).astype(float))
    return make_pipeline(missing, LinearRegression())


def impute_all(value: float) -> Pipeline:
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=value), LinearRegression(positive=True)
    )


def test_an_estimator_is_made_with_its_parameters_seeded_and_fitted_on_ridges_terms() -> None:
    x, y, linear = make_rows(80, 3)
    linear[2] = False
    sample = sample_of(x, y, linear)
    fitted = fit_estimator(sample, FOREST, {"n_estimators": 5, "max_depth": 3})
    forest = fitted.pipeline[-1]
    assert (forest.n_estimators, forest.max_depth, forest.random_state) == (5, 3, SEED)
    assert forest.n_features_in_ == 3  # two features and the trend
    assert fitted.predict(ahead(x, y)).shape == (80,)
    assert fit_estimator(sample, FOREST, {"random_state": 7}).pipeline[-1].random_state == 7


def test_a_missing_feature_is_imputed_and_all_are_scaled() -> None:
    x, y, linear = make_rows(80, 3)
    x[::3, 0], x[:, 1] = NAN, NAN
    sample = sample_of(x, y, linear)
    fitted = fit_estimator(sample, "sklearn.linear_model.LinearRegression", {})
    found = fitted.pipeline[:-1].transform(
        Terms.of(sample, trend=True, interactions=True, log=False).of_past(sample)
    )
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), [1, 0, 1, 1])


def test_a_pipeline_gets_the_terms_as_they_are() -> None:
    x, _, linear = make_rows(80, 2)
    x[::2, 0] = NAN
    y = np.where(np.isnan(x[:, 0]), 10.0, 20.0)
    fitted = fit_estimator(sample_of(x, y, linear), f"{__name__}.count_missing", {})
    np.testing.assert_allclose(fitted.predict(ahead(x, y)), y)


def test_what_makes_a_pipeline_takes_parameters_too() -> None:
    x, y, linear = make_rows(80, 2)
    fitted = fit_estimator(sample_of(x, y, linear), f"{__name__}.impute_all", {"value": 3.0})
    assert fitted.pipeline[0].fill_value == 3


def test_periods_without_a_target_are_not_learnt_from() -> None:
    x, y, linear = make_rows(80, 2)
    x[:5], y[:5] = 1e9, NAN
    line = "sklearn.linear_model.LinearRegression"
    fitted = fit_estimator(sample_of(x, y, linear), line, {})
    found = fitted.predict(ahead(x[5:], y[5:], history=np.zeros(80)))
    assert np.abs(found - y[5:]).mean() < 3


@pytest.mark.parametrize(
    "path",
    [
        FOREST,
        "sklearn.ensemble.HistGradientBoostingRegressor",
        "sklearn.linear_model.Lasso",
        "sklearn.neighbors.KNeighborsRegressor",
    ],
)
def test_it_has_one_pickle_however_often_it_is_fitted(path: str) -> None:
    x, y, linear = make_rows(80, 3)
    first, second = (fit_estimator(sample_of(x.copy(), y, linear), path, {}) for _ in range(2))
    payload = pickle.dumps(first)
    expected = first.predict(ahead(x, y))
    assert pickle.dumps(second) == payload
    np.testing.assert_array_equal(pickle.loads(payload).predict(ahead(x, y)), expected)
