from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from many_models.core.estimator_effects import read_figures

X = np.random.default_rng(0).normal(size=(300, 3))
Y = 4 * X[:, 1] + X[:, 2]


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (LinearRegression(), "coefficient"),
        (RandomForestRegressor(random_state=0), "importance"),
        (HistGradientBoostingRegressor(), "gain"),
    ],
)
def test_the_column_that_decides_has_the_largest_figure(estimator: object, kind: str) -> None:
    found = read_figures(estimator.fit(X, Y))  # type: ignore[attr-defined]
    assert found is not None
    assert found[0] == kind
    assert found[1].shape == (1, 3)
    assert np.argsort(found[1][0]).tolist() == [0, 2, 1]


def test_an_estimator_without_figures_tells_none() -> None:
    assert read_figures(KNeighborsRegressor().fit(X, Y)) is None


def test_figures_that_are_none_do_no_harm() -> None:
    model = LinearRegression().fit(X, Y)
    model.coef_ = "not to be understood"
    assert read_figures(model) is None
