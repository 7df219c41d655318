from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.intervals import bound, calibrate, intervals_by_others
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.lake_schema import raw_columns
from many_models.core.scoring import Champion
from many_models.core.simulation.retailer import SimulatedSales
from many_models_tests.fakes import make_use_case

NAN = float("nan")
LEVELS = (0.8, 0.95)


def _residuals(groups: int, folds: int, horizon: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=(groups, folds, horizon))


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
        ([0, 0, 0], 0.9, 0),
        ([], 0.9, NAN),
    ],
)
def test_at_a_horizon_of_one_the_half_width_is_the_conformal_rank_of_the_residuals(
    residuals: list[float], level: float, width: float
) -> None:
    found = calibrate(np.array(residuals, dtype=float).reshape(1, -1, 1), (level,))
    np.testing.assert_array_equal(found, [[[width]]])


def test_a_rank_that_is_a_whole_number_is_not_rounded_up() -> None:
    assert (99 + 1) * 0.55 > 55  # in floating point
    assert calibrate(np.arange(1.0, 100.0).reshape(1, -1, 1), (0.55,)) == 55


def test_residuals_of_one_size_give_that_size_at_every_step() -> None:
    residuals = np.full((1, 3, 4), 2.0) * [1, -1, 1, -1]
    np.testing.assert_array_equal(calibrate(residuals, LEVELS), np.full((1, 2, 4), 2.0))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("folds", "horizon"), [(1, 28), (3, 28), (3, 7), (10, 12)])
def test_residuals_to_come_are_covered_as_asked_or_one_rank_more(
    folds: int, horizon: int, level: float
) -> None:
    past = _residuals(2_000, folds, horizon)
    future = np.abs(_residuals(2_000, 1, horizon, seed=1)[:, 0])
    covered = (future <= calibrate(past, (level,))[:, 0]).mean()
    assert level - 0.006 < covered < level + 1 / (folds * horizon + 1) + 0.006


def test_too_few_residuals_for_a_level_cover_what_the_largest_of_them_does() -> None:
    past, future = _residuals(4_000, 3, 1), np.abs(_residuals(4_000, 1, 1, seed=1)[:, 0])
    covered = (future <= calibrate(past, (0.95,))[:, 0]).mean()
    assert covered == pytest.approx(3 / 4, abs=0.02)


def test_where_errors_grow_with_the_horizon_so_do_the_intervals() -> None:
    growth = np.sqrt(np.arange(1, 29))
    past, future = (growth * _residuals(2_000, 6, 28, seed) for seed in (0, 1))
    widths = calibrate(past, (0.8,))[:, 0]
    mean = widths.mean(axis=0)
    assert (np.diff(mean[:-3]) > 0).all()
    covered = (np.abs(future[:, 0]) <= widths).mean(axis=0)
    assert covered.mean() == pytest.approx(0.8, abs=0.01)
    assert covered[0] < 0.9 and covered[-1] > 0.75  # one width for all: 1.0 and 0.6


def test_a_stretch_of_the_horizon_that_is_hard_has_wider_intervals() -> None:
    hard = np.where((np.arange(24) >= 8) & (np.arange(24) < 18), 5.0, 1.0)
    widths = calibrate(hard * _residuals(200, 8, 24), (0.8,))[:, 0].mean(axis=0)
    assert widths[10:16].min() > 2 * widths[[0, 1, 2, 3, 22, 23]].max()


def test_half_widths_do_not_decrease_in_the_level() -> None:
    residuals = np.random.default_rng(0).standard_cauchy((50, 3, 7))
    widths = calibrate(residuals, (0.1, 0.5, 0.8, 0.9, 0.95, 0.999))
    assert (np.diff(widths, axis=1) >= 0).all()


def test_a_group_has_the_half_widths_that_it_has_alone_in_its_own_unit() -> None:
    residuals = _residuals(4, 3, 14) * np.array([1, 1e12, 1e-12, 1])[:, None, None]
    residuals[1, 0], residuals[3] = NAN, NAN
    together = calibrate(residuals, LEVELS)
    for group in range(4):
        alone = calibrate(residuals[group : group + 1], LEVELS)
        np.testing.assert_array_equal(together[group : group + 1], alone)
    np.testing.assert_allclose(calibrate(1e-9 * residuals, LEVELS), 1e-9 * together)


def test_a_step_without_residuals_takes_its_width_from_the_others() -> None:
    residuals = _residuals(1, 3, 14)
    residuals[:, :, 5] = NAN
    widths = calibrate(residuals, LEVELS)
    assert (widths > 0).all()
    assert widths[0, 0, 5] == pytest.approx(widths[0, 0].mean(), rel=0.3)


@pytest.mark.parametrize(
    "residuals", [[0, 0, 0, 5], [NAN, NAN, 0, 5], [NAN, 1e300, 1e-300, 0], [0, 0, 0, 0]]
)
def test_half_widths_are_finite_however_odd_the_residuals(residuals: list[float]) -> None:
    for shape in ((1, 1, 4), (1, 4, 1), (1, 2, 2)):
        widths = calibrate(np.array(residuals).reshape(shape), LEVELS)
        assert np.isfinite(widths).all() and (widths >= 0).all()
        assert (widths.max() > 0) == any(size > 0 for size in residuals)


def test_bounds_lie_around_the_prediction_and_not_below_the_floor() -> None:
    prediction = np.array([3.0, 0.0, 1.0])
    lower, upper = bound(prediction, np.array([2.0, 2.0, NAN]), 0.0)
    np.testing.assert_array_equal(lower, [1, 0, NAN])
    np.testing.assert_array_equal(upper, [5, 2, NAN])
    assert bound(prediction, np.full(3, 2.0), None)[0].tolist() == [1, -2, -1]


def test_each_fold_gets_the_interval_of_the_other_folds() -> None:
    actual = np.zeros((1, 3, 1))
    forecast = np.array([[[1.0], [2.0], [6.0]]])
    near, far = intervals_by_others(actual, forecast, (0.3, 0.9), None)
    assert (near.level, far.level) == (0.3, 0.9)
    assert (forecast - near.lower).ravel().tolist() == [2, 1, 1]
    assert (far.upper - forecast).ravel().tolist() == [6, 6, 2]


@pytest.mark.parametrize("forecast", [[[[1.0], [NAN]]], [[[1.0]]]])
def test_without_another_fold_there_is_no_interval(forecast: Any) -> None:
    found = np.array(forecast)
    (interval,) = intervals_by_others(np.zeros(found.shape), found, (0.9,), None)
    assert np.isnan(interval.upper[0, 0]).all()
    assert np.isnan(interval.lower[0, 0]).all()


def test_the_future_of_many_groups_is_covered_as_often_as_the_levels_say() -> None:
    """Sales that were not there yet when the models were made; 300 groups, 28 days."""
    use_case = make_use_case(
        keys=["store_id", "item_id"],
        partitioning={"hash": 8},
        target="sales",
        horizon=28,
        prediction_floor=0,
        features={"known": ["price", "promotion"]},
        candidates=["seasonal_naive", "ridge"],
        validation={"interval": 0.95, "levels": [0.8]},
    )
    sales = SimulatedSales(stores=20, items=15, days=600 + 28)
    schema = raw_columns(use_case)
    rows = sales.table().select(schema.names).cast(schema)
    origin = np.datetime64(sales.start) + 599

    trained = train_shard(rows, use_case, partition="p", trained_through=origin).to_pylist()
    by_ridge = [row for row in trained if row["candidate"] == "ridge"]
    champions = {row["group_key"]: Champion("m", 1, row["payload"]) for row in by_ridge}
    scored = score_shard(rows, champions, use_case, partition="p", origin=origin)
    found = scored.predictions.filter(pc.field("source") == "model").to_pandas()
    actuals = rows.to_pandas().rename(columns={"date": "time"})
    joined = found.merge(actuals, on=["store_id", "item_id", "time"])

    assert len(joined) == 28 * len(champions) > 28 * 280
    for level, lower, upper in ((0.95, "lower", "upper"), (0.8, "lower_80", "upper_80")):
        covered = joined["sales"].between(joined[lower], joined[upper]).mean()
        assert covered == pytest.approx(level, abs=0.02)
