from __future__ import annotations

import numpy as np
import pytest

from many_models.core.forecast.candidates.smoothing import (
    PERIODS_MAX,
    Smoothing,
    fill_gaps,
    fit_ets,
    fit_theta,
)
from many_models_tests.core.forecast.candidates.samples import NAN, ahead, sample_of

WEEKS = 50 + 10 * np.sin(np.arange(140) * 2 * np.pi / 7)
NOTHING = np.empty((140, 0))
NONE = np.empty(0, dtype=bool)


def test_a_gap_takes_the_value_of_a_season_before_else_lies_between_its_neighbours() -> None:
    assert fill_gaps(np.array([1.0, 2, 3, 4, NAN, 6]), 3).tolist() == [1, 2, 3, 4, 2, 6]
    assert fill_gaps(np.array([1.0, NAN, 3, 4]), 3).tolist() == [1, 2, 3, 4]
    assert fill_gaps(np.array([NAN, 2.0, NAN]), 1).tolist() == [2, 2, 2]


@pytest.mark.parametrize("fit", [fit_ets, fit_theta])
@pytest.mark.parametrize("days", [0, 1, 5])
def test_the_season_keeps_its_phase_at_later_origins(fit: object, days: int) -> None:
    whole = np.tile(WEEKS[:7], 25)
    fitted = fit(sample_of(NOTHING, whole[:140], NONE))  # type: ignore[operator]
    outlook = ahead(np.empty((7, 0)), np.zeros(7), history=whole[: 140 + days])
    np.testing.assert_allclose(fitted.predict(outlook), whole[140 + days : 147 + days], atol=0.5)


def test_no_more_than_the_last_periods_are_looked_at() -> None:
    long = np.tile(WEEKS[:7], 200)
    fitted = fit_theta(sample_of(np.empty((1400, 0)), long, NONE))
    assert isinstance(fitted, Smoothing)
    assert (fitted.memory, fitted.start) == (PERIODS_MAX, 400)


def test_without_two_seasons_no_season_is_fitted() -> None:
    fitted = fit_theta(sample_of(np.empty((13, 0)), WEEKS[:13], NONE))
    assert isinstance(fitted, Smoothing)
    assert fitted.season == 1
