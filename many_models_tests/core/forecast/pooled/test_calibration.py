from __future__ import annotations

from dataclasses import replace

import numpy as np

from many_models.core.forecast.pooled.calibration import calibrate_folds
from many_models.core.forecast.pooled.contender import fit_folds
from many_models_tests.core.forecast.pooled.partitions import (
    DAYS,
    GROUPS,
    HORIZON,
    ORIGIN,
    USE_CASE,
    fits,
    rows_of,
    series,
)
from many_models_tests.fakes import Columns


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
    assert np.isnan(found.correlation)


def test_one_fold_has_intervals_that_nothing_has_judged() -> None:
    one = replace(fits(), folds=fits().folds[:1])
    found = calibrate_folds(rows_of(GROUPS), one, USE_CASE)
    assert np.isfinite(found.halfwidths).all()
    assert np.isnan(found.coverage)


def test_errors_of_a_group_correlate_where_its_level_moves_and_not_where_it_stays() -> None:
    assert calibrate_folds(rows_of(GROUPS), fits(), USE_CASE).correlation < 0.15

    def moved(number: int) -> Columns:
        """Each fold has a level of their own, which no past could tell."""
        plain = series(10.0, number)
        chance = np.random.default_rng(number)
        lengths = [DAYS - 3 * HORIZON, HORIZON, HORIZON, HORIZON]
        times = np.repeat(chance.lognormal(0, 0.8, 4), lengths)
        past = np.array(plain["sold"][:DAYS]) * times
        return {**plain, "sold": [*past.tolist(), *[None] * HORIZON]}

    groups = {(f"s{n // 6}", f"i{n % 6}"): moved(n) for n in range(24)}
    rows = rows_of(groups)
    found = fit_folds(rows, USE_CASE, ORIGIN)
    assert found is not None
    assert calibrate_folds(rows, found, USE_CASE).correlation > 0.45
