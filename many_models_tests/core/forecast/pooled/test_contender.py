from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from many_models.core.forecast.backtest import fold_origins
from many_models.core.forecast.candidates.port import Outlook
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.pooled.contender import Contender, fit_folds
from many_models_tests.core.forecast.pooled.partitions import (
    GROUPS,
    HORIZON,
    ORIGIN,
    USE_CASE,
    Groups,
    fits,
    panel_of,
    rows_of,
    series,
)

SPEC = FeatureSpec.of(USE_CASE)


def _contender(groups: Groups = GROUPS) -> Contender:
    dataset, every, panel = panel_of(groups, ahead=0)
    return Contender.of(fits(), dataset, every, panel, build_features(panel, SPEC))


def test_each_fold_is_forecast_by_a_fit_that_ends_where_it_begins() -> None:
    origins = fold_origins(USE_CASE, ORIGIN)
    assert [fit.origin for fit in fits().folds if fit] == origins.tolist()
    assert fits().final.origin == ORIGIN
    found = _contender().backtest(origins)
    assert found.shape == (len(GROUPS), 3, HORIZON)
    assert np.isfinite(found).all()
    contender = _contender()
    ahead = contender.fits.folds[1]
    assert ahead is not None
    again = ahead.ahead(contender.panel, contender.features, contender.values, int(origins[1]))
    np.testing.assert_array_equal(found[:, 1], again.forecast)


def test_no_forecast_of_a_fold_changes_with_what_comes_after_its_origin() -> None:
    origins = fold_origins(USE_CASE, ORIGIN)
    split = len(GROUPS[("s0", "i0")]["sold"]) - 2 * HORIZON  # where the latest fold begins
    changed = {
        key: {**each, "sold": [v if v is None or n < split else 7.0 * v + 3 for n, v in rows]}
        for key, each in GROUPS.items()
        for rows in [list(enumerate(each["sold"]))]
    }
    refitted = fit_folds(rows_of(changed), USE_CASE, ORIGIN)
    assert refitted is not None
    other = replace(_contender(changed), fits=refitted).backtest(origins)
    np.testing.assert_array_equal(other, _contender().backtest(origins))


def test_folds_that_end_elsewhere_are_refused() -> None:
    with pytest.raises(ValueError, match="ends at"):
        _contender().backtest(fold_origins(USE_CASE, ORIGIN) - 1)


def test_a_fold_without_enough_data_has_no_forecast() -> None:
    young = {("s", str(n)): series(3, n, days=20) for n in range(10)}
    found = fit_folds(rows_of(young), USE_CASE, ORIGIN)
    assert found is not None
    assert [fit is None for fit in found.folds] == [False, False, True]
    dataset, every, panel = panel_of(young, ahead=0)
    contender = Contender.of(found, dataset, every, panel, build_features(panel, SPEC))
    forecasts = contender.backtest(fold_origins(USE_CASE, ORIGIN))
    assert np.isnan(forecasts).all(axis=(0, 2)).tolist() == [False, False, True]


def test_a_groups_candidate_forecasts_what_the_final_fit_does() -> None:
    dataset, every, panel = panel_of(GROUPS)
    features = build_features(panel, SPEC)
    contender = Contender.of(fits(), dataset, every, panel, features)
    together = fits().final.ahead(panel, features, contender.values, ORIGIN).forecast
    for index in every.tolist():
        rows = slice(int(panel.offsets[index]), int(panel.offsets[index + 1]))
        history, x = panel.target[rows][:-HORIZON], features[rows][-HORIZON:]
        outlook = Outlook(x, np.zeros(HORIZON), history, ORIGIN)
        alone = _contender().candidate(index).predict(outlook)
        np.testing.assert_allclose(alone, together[index], rtol=1e-9)


def test_too_little_data_makes_no_fits() -> None:
    assert fit_folds(rows_of({("s", "i"): series(3, 0, days=20)}), USE_CASE, ORIGIN) is None
