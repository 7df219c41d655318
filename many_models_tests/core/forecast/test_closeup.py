from __future__ import annotations

import numpy as np

from many_models.core.forecast.backtest import run_backtest
from many_models.core.forecast.closeup import close_up
from many_models.core.forecast.dataset import read_dataset
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.panel import build_panel
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks

USE_CASE = make_use_case(candidates=["seasonal_naive"])


def test_only_folds_that_a_group_was_judged_on_are_kept() -> None:
    old, young = noisy_weeks(100), noisy_weeks(17)
    groups = {
        ("s", "old"): make_series(USE_CASE, "2024-01-01", old),
        ("s", "young"): make_series(USE_CASE, "2024-03-24", young),
    }
    dataset = read_dataset(make_shard(USE_CASE, groups), USE_CASE)
    origin = int(USE_CASE.frequency.to_period(np.array(["2024-04-09"], "datetime64[us]"))[0])
    panel = build_panel(dataset, np.array([0, 1]), USE_CASE, origin=origin)
    features = build_features(panel, FeatureSpec.of(USE_CASE))
    backtest = run_backtest(panel, features, USE_CASE)
    forecasts = backtest.forecasts["seasonal_naive"]

    first, second = (close_up(panel, n, backtest, forecasts[n]) for n in (0, 1))

    assert list(first.fold_origins) == [origin - 7, origin - 14, origin - 21]
    np.testing.assert_array_equal(first.backtest[0], old[86:93])
    np.testing.assert_array_equal(first.history, old[-35:])
    assert list(second.fold_origins) == [origin - 7]
    np.testing.assert_array_equal(second.history, young)
    assert list(second.prediction) == []
