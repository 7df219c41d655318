from __future__ import annotations

import numpy as np
import pytest

from many_models.core.candidates.ensemble import (
    MEDIAN,
    WEIGHTED,
    Ensemble,
    backtest_ensembles,
    choose_winner,
    weigh,
)
from many_models.core.candidates.level import Level
from many_models.core.dataset import Floats
from many_models_tests.core.candidates.samples import NAN, ahead


def test_an_ensemble_forecasts_the_median_of_its_members_or_their_weighted_mean() -> None:
    members = tuple(Level("mean", memory) for memory in (1, 2, 4))
    outlook = ahead(np.empty((2, 0)), np.zeros(2), history=np.array([1.0, 3.0, 5.0, 7.0]))
    assert Ensemble(members, None).predict(outlook).tolist() == [6, 6]
    assert Ensemble(members, (0.5, 0.25, 0.25)).predict(outlook).tolist() == [6, 6]
    assert Ensemble(members, (0.0, 0.0, 1.0)).predict(outlook).tolist() == [4, 4]
    assert Ensemble(members, None).memory == 4


def test_weights_are_the_inverse_of_squared_errors() -> None:
    actual = np.zeros((1, 2))
    forecasts = np.array([[[1.0, -1.0]], [[2.0, 2.0]]])
    np.testing.assert_allclose(weigh(forecasts, actual), [0.8, 0.2])
    np.testing.assert_allclose(weigh(forecasts, np.full((1, 2), NAN)), [0.5, 0.5])
    assert weigh(np.zeros((2, 1, 2)), actual).tolist() == [0.5, 0.5]


def _forecasts(*levels: float, folds: int = 3) -> dict[str, Floats]:
    return {f"c{n}": np.full((folds, 4), level) for n, level in enumerate(levels)}


def test_in_each_fold_the_weights_are_those_of_the_folds_before_it() -> None:
    actual = np.zeros((3, 4))
    forecasts = _forecasts(1.0, 2.0, 3.0)
    found = backtest_ensembles(forecasts, actual)
    assert found[MEDIAN].tolist() == [[2.0] * 4] * 3
    assert found[WEIGHTED][2].tolist() == [2.0] * 4  # nothing is known before the oldest fold
    assert (found[WEIGHTED][:2] < 1.5).all()
    actual[0] = 1e6
    np.testing.assert_array_equal(backtest_ensembles(forecasts, actual)[WEIGHTED], found[WEIGHTED])


def test_two_candidates_make_no_ensemble() -> None:
    assert backtest_ensembles(_forecasts(1.0, 2.0), np.zeros((3, 4))) == {}


@pytest.mark.parametrize(
    ("better", "winner"),
    [
        ([0.5, 0.5, 0.5], "best"),
        ([0.5, 0.5, 1.1], MEDIAN),  # not in every fold
        ([0.9, 0.9, 0.9], MEDIAN),  # by too little, of twelve periods
        ([0.1, 0.1, NAN], MEDIAN),  # two folds are too few
    ],
)
def test_the_ensemble_wins_unless_it_is_clearly_beaten(better: list[float], winner: str) -> None:
    errors = {"best": np.repeat([better], 4, axis=0).T, MEDIAN: np.ones((3, 4))}
    errors[MEDIAN][np.isnan(errors["best"])] = NAN
    scores = {name: float(np.nanmean(error)) for name, error in errors.items()}
    assert choose_winner(scores, errors) == winner


def test_without_an_ensemble_the_best_wins() -> None:
    assert choose_winner({"a": 1.0, "b": 0.99}, {}) == "b"
