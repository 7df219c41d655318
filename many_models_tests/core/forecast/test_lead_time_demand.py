from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.lead_time_demand import SumForecast, forecast_sums

GROUPS, FOLDS, HORIZON = 60, 4, 20
MEAN, NOISE, MISSED = 10.0, 2.0, 1.5


def _errors(draw: np.random.Generator, groups: int = GROUPS, missed: float = MISSED) -> Floats:
    """Forecast minus actual: noise of each day, and a level that is missed a whole fold long."""
    level = missed * draw.normal(size=(groups, FOLDS, 1))
    return NOISE * draw.normal(size=(groups, FOLDS, HORIZON)) + level


def _sums(
    residuals: Floats, span: int | Ints, level: float | Floats, mean: float | Floats = MEAN
) -> SumForecast:
    groups = len(residuals)
    forecast = np.broadcast_to(np.asarray(mean, dtype=float).reshape(-1, 1), (groups, HORIZON))
    spans = np.broadcast_to(np.asarray(span), groups)
    return forecast_sums(forecast, residuals, spans, np.broadcast_to(np.asarray(level), groups))


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("missed", [0.0, MISSED])
def test_demand_stays_within_the_bound_as_often_as_asked_for(
    draw: np.random.Generator, level: float, missed: float
) -> None:
    groups, span = 3_000, 8
    found = _sums(_errors(draw, groups, missed), span, level)
    to_come = -_errors(draw, groups, missed)[:, 0, :span].sum(axis=1)
    held = int((found.demand + to_come <= found.bound).sum())
    # The bound is estimated from four folds, and errs itself: two points more than chance alone.
    low, high = stats.binom.ppf([0.001, 0.999], groups, level)
    assert low - 0.02 * groups <= held <= high + 0.02 * groups


def test_a_level_that_is_missed_is_missed_every_day(draw: np.random.Generator) -> None:
    found = _sums(_errors(draw, 500), 8, 0.95)
    independent = NOISE * np.sqrt(8)
    assert np.median(found.deviation) == pytest.approx(
        np.sqrt(independent**2 + (8 * MISSED) ** 2), rel=0.1
    )


def test_more_service_and_a_longer_wait_take_more_stock(draw: np.random.Generator) -> None:
    errors = _errors(draw)
    by_level = [_sums(errors, 5, level).bound for level in (0.6, 0.8, 0.9, 0.95, 0.99)]
    by_span = [_sums(errors, span, 0.95).bound for span in range(HORIZON)]
    assert (np.diff(by_level, axis=0) >= 0).all()
    assert (np.diff(by_span, axis=0) > 0).all()


def test_each_group_has_its_own_span_and_level(draw: np.random.Generator) -> None:
    errors = _errors(draw)
    spans, levels = np.tile([2, 9], 30), np.tile([0.9, 0.9, 0.98], 20)
    mixed = _sums(errors, spans, levels)
    assert (mixed.demand == MEAN * spans).all()
    factor = (mixed.bound - mixed.demand) / mixed.deviation
    assert len(set(factor[levels == 0.9].round(9))) == 1
    assert factor[levels == 0.98].min() > factor[levels == 0.9].max()


def test_in_other_units_it_is_the_same_stock(draw: np.random.Generator) -> None:
    residuals, means = _errors(draw), 5 + 10 * draw.random(GROUPS)
    pieces = _sums(residuals, 6, 0.95, means)
    dozens = _sums(residuals / 12, 6, 0.95, means / 12)
    np.testing.assert_allclose(dozens.bound * 12, pieces.bound)
    np.testing.assert_allclose(dozens.deviation * 12, pieces.deviation)


def test_the_order_of_the_groups_does_not_matter(draw: np.random.Generator) -> None:
    residuals, order = _errors(draw), draw.permutation(GROUPS)
    whole = _sums(residuals, 6, 0.95).bound
    np.testing.assert_allclose(_sums(residuals[order], 6, 0.95).bound, whole[order])


def test_peers_say_the_less_the_less_they_resemble_each_other(draw: np.random.Generator) -> None:
    residuals = _errors(draw, missed=0)
    residuals[0] *= 3
    own = _sums(residuals[:1], 5, 0.9).deviation[0]

    def moderated(sizes: Floats) -> float:
        others = residuals[1:] * sizes[:, None, None]
        errors = np.concatenate([residuals[:1], others])
        return float(_sums(errors, 5, 0.9).deviation[0] / own)

    alike, unlike = np.ones(GROUPS - 1), np.exp(2 * draw.normal(size=GROUPS - 1))
    assert moderated(alike) < 0.7 < 0.85 < moderated(unlike) < 1


def test_a_group_alone_is_judged_by_its_own_errors(draw: np.random.Generator) -> None:
    residuals = _errors(draw)[:1]
    found = _sums(residuals, 1, 0.9)
    assert found.deviation[0] == pytest.approx(np.sqrt((residuals**2).mean()))
    assert found.bound[0] > found.demand[0]


def test_periods_without_an_actual_are_left_out(draw: np.random.Generator) -> None:
    residuals = _errors(draw)
    residuals[:, :, 3] = np.nan
    assert np.isfinite(_sums(residuals, 4, 0.95).bound).all()
    residuals[:, :, ::3] = np.nan
    assert np.isnan(_sums(residuals, 4, 0.95).bound).all()


def test_who_is_too_young_for_a_backtest_has_what_is_usual_among_peers(
    draw: np.random.Generator,
) -> None:
    residuals = _errors(draw)
    residuals[0] = np.nan
    found = _sums(residuals, 5, 0.95)
    assert found.deviation[0] == pytest.approx(np.median(found.deviation[1:]), rel=0.25)
    assert np.isnan(_sums(residuals[:1], 5, 0.95).bound).all()


def test_nothing_is_sold_in_no_time(draw: np.random.Generator) -> None:
    found = _sums(_errors(draw), 0, 0.95)
    assert not found.demand.any() and not found.bound.any() and not found.deviation.any()
