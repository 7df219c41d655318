from __future__ import annotations

from dataclasses import replace

import numpy as np

from many_models.core.forecast.pooled.calibration import calibrate_folds
from many_models_tests.core.forecast.pooled.partitions import (
    GROUPS,
    HORIZON,
    USE_CASE,
    fits,
    rows_of,
)


def test_intervals_hold_about_what_they_should() -> None:
    found = calibrate_folds(rows_of(GROUPS), fits(), USE_CASE)
    assert found.halfwidths.shape == (2, 2, HORIZON)
    assert 0.85 < found.coverage < 0.95


def test_the_higher_level_is_wider_and_so_is_what_is_young() -> None:
    young, grown_up = calibrate_folds(rows_of(GROUPS), fits(), USE_CASE).halfwidths
    assert (young[0] > young[1]).all()
    assert (grown_up[0] > grown_up[1]).all()
    assert young[0].mean() > 1.2 * grown_up[0].mean()


def test_without_folds_there_are_no_intervals() -> None:
    nothing = replace(fits(), folds=(None, None))
    found = calibrate_folds(rows_of(GROUPS), nothing, USE_CASE)
    assert np.isnan(found.halfwidths).all()
    assert np.isnan(found.coverage)


def test_one_fold_has_intervals_that_nothing_has_judged() -> None:
    one = replace(fits(), folds=fits().folds[:1])
    found = calibrate_folds(rows_of(GROUPS), one, USE_CASE)
    assert np.isfinite(found.halfwidths).all()
    assert np.isnan(found.coverage)
