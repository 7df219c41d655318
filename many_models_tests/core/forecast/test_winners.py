from __future__ import annotations

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.backtest import Backtest
from many_models.core.forecast.metrics import Scale
from many_models.core.forecast.winners import Winners
from many_models_tests.fakes import make_use_case

NAN = float("nan")
USE_CASE = make_use_case(
    horizon=2, candidates=["seasonal_naive", "ridge"], validation={"folds": 2, "levels": [0.5]}
)


def _winners(naive: Floats, ridge: Floats, actual: float = 0.0) -> Winners:
    """Groups whose candidates are off by so much (G, F, H) of an actual that is everywhere one."""
    groups = len(naive)
    backtest = Backtest(
        origins=np.array([9, 7]),
        actual=np.full(naive.shape, actual),
        forecasts={"seasonal_naive": actual + naive, "ridge": actual + ridge},
        scale=Scale(np.ones(groups), np.ones(groups)),
        errors={},
        members={},
    )
    return Winners(backtest, USE_CASE)


def test_each_group_has_its_own_winner_with_its_own_residuals() -> None:
    small, large = np.full((1, 2, 2), 1.0), np.full((1, 2, 2), -3.0)
    found = _winners(np.concatenate([small, large]), np.concatenate([large, small]), actual=7)
    assert found.names == ("seasonal_naive", "ridge")
    assert found.scores(0) == {"seasonal_naive": 1, "ridge": 3}
    np.testing.assert_array_equal(found.residuals, np.concatenate([small, small]))
    np.testing.assert_array_equal(found.halfwidths, np.ones((2, 2, 2)))
    assert {n: v.tolist() for n, v in found.coverages.items()} == {
        "coverage": [1, 1],
        "coverage_50": [1, 1],
    }


def test_a_candidate_without_forecasts_does_not_win_and_nobody_does_without_the_baseline() -> None:
    there, none = np.ones((1, 2, 2)), np.full((1, 2, 2), NAN)
    found = _winners(np.concatenate([there, none]), np.concatenate([none, there]))
    assert found.names == ("seasonal_naive", None)
    assert found.scores(1) == {"ridge": 1}
    assert np.isnan(found.forecasts[1]).all()
    assert np.isnan(found.halfwidths[1]).all()
    assert np.isnan(found.coverages["coverage"]).tolist() == [False, True]


def test_the_intervals_are_judged_by_folds_that_they_do_not_come_from() -> None:
    off = np.array([[[1.0, -1.0], [2.0, -2.0]]])
    found = _winners(off, 2 * off)
    assert found.names == ("seasonal_naive",)
    assert found.coverages["coverage"].tolist() == [0.5]  # the first fold, by the second
