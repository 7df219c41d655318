from __future__ import annotations

import numpy as np
import pytest

from many_models.core.forecast.intervals import Interval, intervals_by_others
from many_models.core.forecast.metrics import (
    METRICS,
    Scale,
    measure,
    measure_coverage,
    measure_pinball,
)

NAN = float("nan")
ONE = np.ones(1)
UNIT = Scale(ONE, ONE)
NONE = Interval(0.9, np.full((1, 1, 1), NAN), np.full((1, 1, 1), NAN))


def test_every_figure_is_what_its_formula_says() -> None:
    actual = np.array([[[10.0, 20.0], [0.0, 40.0]]])
    forecast = np.array([[[12.0, 16.0], [0.0, 50.0]]])
    found = measure(actual, forecast, Scale(np.array([2.0]), ONE), NONE)
    assert found.mae == (2 + 4 + 0 + 10) / 4
    assert found.mase == 4 / 2
    assert found.wape == (2 + 4 + 0 + 10) / (10 + 20 + 0 + 40)
    assert found.rmse == pytest.approx(((4 + 16 + 0 + 100) / 4) ** 0.5)
    assert found.bias == (2 - 4 + 0 + 10) / 4
    assert found.smape == pytest.approx((4 / 22 + 8 / 36 + 0 + 20 / 90) / 4)
    assert METRICS == ("mase", "rmsse", "wape", "smape", "mae", "rmse", "bias", "pinball")


def test_what_is_not_observed_or_not_forecast_does_not_count() -> None:
    actual = np.array([[[10.0, NAN, 30.0, 1e9]]])
    forecast = np.array([[[11.0, 5.0, 33.0, NAN]]])
    found = measure(actual, forecast, UNIT, NONE)
    assert found.mae == found.mase == found.bias == 2
    assert found.wape == 4 / 40
    assert found.rmse == pytest.approx(5**0.5)
    assert found.smape == pytest.approx((2 / 21 + 6 / 63) / 2)


def test_a_group_without_a_forecast_has_no_figures() -> None:
    actual, forecast = np.ones((2, 1, 2)), np.array([[[1.0, 1]], [[NAN, NAN]]])
    interval = Interval(0.9, forecast, forecast)
    found = measure(actual, forecast, Scale(np.ones(2), np.ones(2)), interval)
    for name in METRICS:
        assert np.isnan(getattr(found, name)).tolist() == [False, True]


@pytest.mark.parametrize("scale", [0.0, NAN])
def test_mase_is_undefined_without_a_scale_and_wape_without_sales(scale: float) -> None:
    zeros = np.zeros((1, 1, 3))
    found = measure(zeros, zeros + 1, Scale(np.array([scale]), ONE), NONE)
    assert np.isnan(found.mase)
    assert np.isnan(found.wape)
    assert found.mae == 1
    assert found.smape == 2
    assert measure(zeros, zeros, Scale(np.array([scale]), ONE), NONE).smape == 0


def test_wape_of_negative_values_is_taken_of_their_size() -> None:
    found = measure(np.array([[[-10.0, 10.0]]]), np.array([[[-9.0, 10.0]]]), UNIT, NONE)
    assert found.wape == 1 / 20


def test_smape_of_a_forecast_of_the_wrong_sign_is_two() -> None:
    found = measure(np.array([[[10.0, -5.0]]]), np.array([[[-1.0, 5.0]]]), UNIT, NONE)
    assert found.smape == 2


def test_the_squared_error_is_scaled_by_the_naive_forecasts() -> None:
    actual, forecast = np.array([[[10.0, 20.0]]]), np.array([[[11.0, 17.0]]])
    found = measure(actual, forecast, Scale(ONE, np.array([20.0])), NONE)
    assert found.rmsse == pytest.approx(((1 + 9) / 2 / 20) ** 0.5)
    assert np.isnan(measure(actual, forecast, Scale(ONE, np.zeros(1)), NONE).rmsse)


def test_pinball_is_the_mean_loss_of_both_bounds_as_quantiles() -> None:
    interval = Interval(0.8, np.array([[[8.0, 8.0, 8.0]]]), np.array([[[14.0, 14.0, 14.0]]]))
    # Quantiles 0.1 and 0.9: inside, below, above the interval.
    losses = [0.1 * 2 + 0.1 * 4, 0.9 * 3 + 0.1 * 9, 0.1 * 12 + 0.9 * 6]
    found = measure_pinball(np.array([[[10.0, 5.0, 20.0]]]), interval)
    assert found == pytest.approx(sum(losses) / 6)
    score = (6 + 6 + 2 / 0.2 * 3 + 6 + 2 / 0.2 * 6) / 3  # Gneiting & Raftery (2007)
    assert found == pytest.approx((1 - 0.8) / 4 * score)


def test_pinball_is_smallest_at_the_true_quantiles() -> None:
    actual = np.random.default_rng(0).normal(size=(1, 1, 20_000))
    widths = np.linspace(0.5, 3, 26)
    found = [
        measure_pinball(actual, Interval(0.9, actual * 0 - width, actual * 0 + width))[0]
        for width in widths
    ]
    assert widths[int(np.argmin(found))] == pytest.approx(1.645, abs=0.1)


def test_what_lies_on_a_bound_is_covered() -> None:
    actual = np.array([[[1.0, 2, 3, 4]], [[NAN, 2, 0, 9]], [[NAN, 2, 3, NAN]]])
    lower = np.array([[[1.0, 1, 1, 1]], [[1, 1, 1, 1]], [[0, NAN, NAN, 0]]])
    found = measure_coverage(actual, Interval(0.9, lower, lower + 2))
    np.testing.assert_array_equal(found, [0.75, 1 / 3, NAN])


def test_where_there_is_no_interval_there_is_no_pinball_loss() -> None:
    actual = np.ones((1, 2, 2))
    assert np.isnan(measure(actual, actual, UNIT, NONE).pinball)
    part = np.array([[[NAN, NAN], [0.0, 0.0]]])
    assert measure_pinball(actual, Interval(0.5, part, part + 2)) == pytest.approx(0.25)


def test_about_as_many_residuals_are_covered_as_asked_for() -> None:
    actual = np.random.default_rng(0).normal(size=(50, 4, 50))
    levels = (0.5, 0.8, 0.95)
    for interval in intervals_by_others(actual, np.zeros_like(actual), levels, None):
        coverage = measure_coverage(actual, interval)
        assert coverage.mean() == pytest.approx(interval.level, abs=0.02)


def test_an_actual_below_the_floor_is_not_covered_by_bounds_above_it() -> None:
    actual = np.array([[[-1.0], [-1.0]]])
    free, floored = (
        intervals_by_others(actual, actual * 0, (0.5,), floor)[0] for floor in (None, 0.0)
    )
    assert measure_coverage(actual, free) == 1
    assert measure_coverage(actual, floored) == 0
