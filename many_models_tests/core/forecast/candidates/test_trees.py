from __future__ import annotations

import pickle

import numpy as np
import pytest

from many_models.core.forecast.candidates.ridge import fit_ridge
from many_models.core.forecast.candidates.trees import fit_gradient_boosting
from many_models_tests.core.forecast.candidates.samples import NAN, ahead, make_rows, sample_of


def test_gradient_boosting_learns_a_step_that_a_line_cannot() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = np.where(np.abs(x[:, 0]) > 0.5, 10.0, 0.0)
    flags = np.array([True, True])
    trees, line = (
        fit(sample_of(x, y, flags)).predict(ahead(x, y))
        for fit in (fit_gradient_boosting, fit_ridge)
    )
    assert np.abs(trees - y).mean() < 0.5 < np.abs(line - y).mean()


@pytest.mark.parametrize("rows", [10, 300])
def test_gradient_boosting_predicts_the_same_from_its_pickle(rows: int) -> None:
    x, y, linear = make_rows(rows, 4)
    x[::7, 2] = NAN
    model = fit_gradient_boosting(sample_of(x, y, linear))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(ahead(x, y)), model.predict(ahead(x, y)))


def test_gradient_boosting_has_one_pickle_however_often_it_is_fitted_used_and_loaded() -> None:
    x, y, linear = make_rows(300, 4)
    first, second = (
        fit_gradient_boosting(sample_of(x, y, linear)),
        fit_gradient_boosting(sample_of(x.copy(), y, linear)),
    )
    payload = pickle.dumps(first)
    assert pickle.dumps(second) == payload
    first.predict(ahead(x, y))
    loaded = pickle.loads(payload)
    loaded.predict(ahead(x, y))
    assert pickle.dumps(first) == pickle.dumps(loaded) == payload
