from __future__ import annotations

import numpy as np
import pytest

from many_models.core.metrics import METRICS, interval_coverage, interval_halfwidth, measure

NAN = float("nan")


def test_every_figure_is_what_its_formula_says() -> None:
    actual = np.array([[[10.0, 20.0], [0.0, 40.0]]])
    forecast = np.array([[[12.0, 16.0], [0.0, 50.0]]])
    found = measure(actual, forecast, scale=np.array([2.0]))
    assert found.mae == (2 + 4 + 0 + 10) / 4
    assert found.mase == 4 / 2
    assert found.wape == (2 + 4 + 0 + 10) / (10 + 20 + 0 + 40)
    assert found.rmse == pytest.approx(((4 + 16 + 0 + 100) / 4) ** 0.5)
    assert found.bias == (2 - 4 + 0 + 10) / 4
    assert found.smape == pytest.approx((4 / 22 + 8 / 36 + 0 + 20 / 90) / 4)
    assert METRICS == ("mase", "wape", "smape", "mae", "rmse", "bias")


def test_what_is_not_observed_or_not_forecast_does_not_count() -> None:
    actual = np.array([[[10.0, NAN, 30.0, 1e9]]])
    forecast = np.array([[[11.0, 5.0, 33.0, NAN]]])
    found = measure(actual, forecast, scale=np.array([1.0]))
    assert found.mae == found.mase == found.bias == 2
    assert found.wape == 4 / 40
    assert found.rmse == pytest.approx(5**0.5)
    assert found.smape == pytest.approx((2 / 21 + 6 / 63) / 2)


def test_a_group_without_a_forecast_has_no_figures() -> None:
    found = measure(np.ones((2, 1, 2)), np.array([[[1.0, 1]], [[NAN, NAN]]]), np.ones(2))
    for name in METRICS:
        assert np.isnan(getattr(found, name)).tolist() == [False, True]


@pytest.mark.parametrize("scale", [0.0, NAN])
def test_mase_is_undefined_without_a_scale_and_wape_without_sales(scale: float) -> None:
    zeros = np.zeros((1, 1, 3))
    found = measure(zeros, zeros + 1, np.array([scale]))
    assert np.isnan(found.mase)
    assert np.isnan(found.wape)
    assert found.mae == 1
    assert found.smape == 2
    assert measure(zeros, zeros, np.array([scale])).smape == 0


def test_wape_of_negative_values_is_taken_of_their_size() -> None:
    found = measure(np.array([[[-10.0, 10.0]]]), np.array([[[-9.0, 10.0]]]), np.ones(1))
    assert found.wape == 1 / 20


@pytest.mark.parametrize(
    ("residuals", "level", "width"),
    [
        ([1, -2, 3, -4, 5, -6, 7, -8, 9], 0.9, 9),  # rank 9 of 9
        ([1, -2, 3, -4, 5, -6, 7, -8, 9], 0.8, 8),  # rank 8
        ([1, -2, 3, -4, 5, -6, 7, -8, 9], 0.55, 6),  # rank 5.5, rounded up
        ([3, 1, 2], 0.9, 3),  # rank 4 of 3: the largest
        ([3, NAN, 1, 2, NAN], 0.5, 2),  # rank 2 of the 3 that are there
        ([5], 0.1, 5),
        ([NAN, NAN], 0.9, NAN),
        ([], 0.9, NAN),
    ],
)
def test_the_half_width_is_the_conformal_rank_of_the_residuals(
    residuals: list[float], level: float, width: float
) -> None:
    found = interval_halfwidth(np.array(residuals, dtype=float).reshape(1, 1, -1), level)
    np.testing.assert_array_equal(found, [width])


def test_a_rank_that_is_a_whole_number_is_not_rounded_up() -> None:
    assert (99 + 1) * 0.55 > 55  # in floating point
    assert interval_halfwidth(np.arange(1.0, 100.0).reshape(1, -1), 0.55) == 55


def test_smape_of_a_forecast_of_the_wrong_sign_is_two() -> None:
    found = measure(np.array([[[10.0, -5.0]]]), np.array([[[-1.0, 5.0]]]), np.ones(1))
    assert found.smape == 2


def test_each_group_has_its_own_half_width() -> None:
    residuals = np.array([[[1.0, 2.0]], [[30.0, NAN]], [[NAN, NAN]]])
    np.testing.assert_array_equal(interval_halfwidth(residuals, 0.9), [2, 30, NAN])


def test_coverage_judges_each_fold_by_the_intervals_of_the_others() -> None:
    residuals = np.array([[[1.0, -1.0], [2.0, -9.0], [3.0, 4.0]]])
    # Half widths from the other folds at level 0.5, rank 3 of 4: 4, 3 and 2.
    assert interval_coverage(residuals, 0.5) == np.mean([1, 1, 1, 0, 0, 0])


def test_coverage_takes_two_folds() -> None:
    residuals = np.array([[[1.0], [NAN]], [[1.0], [1.0]]])
    np.testing.assert_array_equal(interval_coverage(residuals, 0.9), [NAN, 1])
    assert np.isnan(interval_coverage(np.ones((1, 1, 5)), 0.9))


def test_about_as_many_residuals_are_covered_as_asked_for() -> None:
    residuals = np.random.default_rng(0).normal(size=(20, 4, 100))
    for level in (0.5, 0.8, 0.95):
        assert interval_coverage(residuals, level).mean() == pytest.approx(level, abs=0.02)
