from __future__ import annotations

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.auto import COSTS, choose
from many_models.core.forecast.candidates.catalogue import CANDIDATES
from many_models_tests.core.forecast.candidates.samples import NAN, sample_of

SMOOTHING = ("optimized_theta", "theta", "ces", "ets")


def _choose(
    y: Floats, seconds: float = 10.0, features: int = 4, known: bool = True
) -> tuple[str, ...]:
    sample = sample_of(np.ones((len(y), features)), y, np.ones(features, dtype=bool))
    return choose(sample, fits=4, seconds=seconds, known_features=known)


def test_a_short_series_is_forecast_from_its_own_past_only() -> None:
    assert _choose(np.arange(10.0) + 1) == SMOOTHING


def test_features_are_used_where_there_are_rows_enough_to_learn_from() -> None:
    assert _choose(np.arange(12.0) + 1) == (*SMOOTHING, "ridge")
    assert _choose(np.arange(100.0) + 1) == (*SMOOTHING, "ridge", "gradient_boosting")
    rows = np.where(np.arange(100) % 2, NAN, 5.0)
    assert _choose(rows) == (*SMOOTHING, "ridge")


def test_where_no_feature_is_known_it_takes_more_rows_for_the_calendar_to_teach_something() -> None:
    assert _choose(np.arange(199.0) + 1, known=False) == SMOOTHING
    by_features = ("ridge", "gradient_boosting")
    assert _choose(np.arange(200.0) + 1, known=False) == (*SMOOTHING, *by_features)
    assert _choose(np.arange(200.0) + 1, known=False, features=67) == (*SMOOTHING, by_features[1])


def test_models_of_intermittent_demand_are_tried_where_demand_comes_rarely() -> None:
    demand = np.where(np.arange(50) % 3 == 0, 5.0, 0.0)
    assert _choose(demand) == ("sba", "tsb", "mean", "median", "ridge")
    assert _choose(demand - 1) == (*SMOOTHING, "ridge")


def test_the_median_is_tried_where_some_periods_are_zero() -> None:
    demand = np.where(np.arange(50) % 10 == 0, 0.0, 5.0)
    assert _choose(demand) == (*SMOOTHING, "median", "ridge")
    assert _choose(demand - 1) == (*SMOOTHING, "ridge")


def test_the_budget_drops_what_is_too_dear() -> None:
    year = np.arange(365.0) + 1
    assert _choose(year, seconds=0.2) == (
        "optimized_theta",
        "theta",
        "ces",
        "ridge",
        "gradient_boosting",
    )
    assert _choose(year, seconds=0.01) == ("theta",)
    assert _choose(year, seconds=0.001) == ()


def test_every_candidate_but_the_baseline_has_a_price() -> None:
    assert COSTS.keys() == CANDIDATES.keys() - {"seasonal_naive"}
