from __future__ import annotations

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.ensemble import (
    MEDIAN,
    WEIGHTED,
    Ensemble,
    backtest_ensembles,
    choose_winner,
    weigh,
)
from many_models.core.forecast.candidates.level import Level
from many_models.core.forecast.use_case import BASELINE
from many_models_tests.core.forecast.candidates.samples import NAN, ahead


def test_an_ensemble_forecasts_the_median_of_its_members_or_their_weighted_mean() -> None:
    members = tuple(Level("mean", memory) for memory in (1, 2, 4))
    outlook = ahead(np.empty((2, 0)), np.zeros(2), history=np.array([1.0, 3.0, 5.0, 7.0]))
    assert Ensemble(members, None).predict(outlook).tolist() == [6, 6]
    assert Ensemble(members, (0.5, 0.25, 0.25)).predict(outlook).tolist() == [6, 6]
    assert Ensemble(members, (0.0, 0.0, 1.0)).predict(outlook).tolist() == [4, 4]
    assert Ensemble(members, None).memory == 4


def test_a_member_that_goes_astray_moves_the_weighted_mean_no_further_than_the_next() -> None:
    members = tuple(Level("mean", memory) for memory in (1, 2, 3, 4))
    outlook = ahead(np.empty((1, 0)), np.zeros(1), history=np.array([0.0, 3.0, 3.0, 1e9]))
    two, three = (3 + 1e9) / 2, (6 + 1e9) / 3
    assert Ensemble(members, (1.0, 0.0, 0.0, 0.0)).predict(outlook) == pytest.approx([two])
    assert Ensemble(members, (0.0, 0.0, 0.0, 1.0)).predict(outlook) == pytest.approx([three])


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


def test_two_candidates_make_no_ensemble_not_even_with_the_baseline() -> None:
    forecasts = _forecasts(1.0, 2.0)
    assert backtest_ensembles(forecasts, np.zeros((3, 4))) == {}
    forecasts[BASELINE] = np.zeros((3, 4))
    assert backtest_ensembles(forecasts, np.zeros((3, 4))) == {}


def test_the_baseline_is_a_member() -> None:
    forecasts = _forecasts(1.0, 1.0, 5.0) | {BASELINE: np.full((3, 4), 3.0)}
    assert backtest_ensembles(forecasts, np.zeros((3, 4)))[MEDIAN].tolist() == [[2.0] * 4] * 3


@pytest.mark.parametrize(
    ("better", "winner"),
    [
        ([0.5, 0.5, 0.5], "best"),
        ([0.5, 0.5, 1.1], WEIGHTED),  # not in every fold
        ([0.7, 0.7, 0.7], WEIGHTED),  # by too little, of twelve periods
        ([0.1, 0.1, NAN], WEIGHTED),  # two folds are too few
    ],
)
def test_the_ensemble_wins_unless_it_is_clearly_beaten(better: list[float], winner: str) -> None:
    errors = {"best": np.repeat([better], 4, axis=0).T, WEIGHTED: np.ones((3, 4))}
    errors[WEIGHTED][np.isnan(errors["best"])] = NAN
    scores = {name: float(np.nanmean(error)) for name, error in errors.items()}
    assert choose_winner(scores, errors) == winner


def test_the_more_candidates_there_are_the_more_clearly_the_best_must_win() -> None:
    errors = {"best": np.full((3, 4), 0.6), WEIGHTED: np.ones((3, 4))}
    scores = {name: float(error.mean()) for name, error in errors.items()}
    assert choose_winner(scores, errors) == "best"
    others = {f"c{n}": 1.0 for n in range(8)}
    errors |= {name: np.ones((3, 4)) for name in others}
    assert choose_winner(scores | others, errors) == WEIGHTED


def test_without_an_ensemble_the_best_wins() -> None:
    assert choose_winner({"a": 1.0, "b": 0.99}, {}) == "b"
