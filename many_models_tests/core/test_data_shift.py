from __future__ import annotations

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.data_shift import (
    SHIFT_MAX,
    Column,
    Shift,
    Stretch,
    difference,
    measure_category_shift,
    measure_shift,
)
from many_models.core.drift import critical_score

WEEKS, RECENT = 52, 4
SCORE = critical_score(0.0025)


def stretch_of(days: Floats) -> Stretch:
    """Weeks, the latest first, of days (G, 7 K) in their order."""
    weeks = days.reshape(len(days), -1, 7)[:, ::-1]
    return Stretch(weeks.sum(axis=2), np.full(weeks.shape[:2], 7.0), (days**2).sum(axis=1))


def column_of(days: Floats, years: int = 1) -> Column:
    """All but the last four weeks are the reference; with two ``years`` there is one before it."""
    empty = np.empty((len(days), 0))
    nothing = Stretch(empty, empty, np.zeros(len(days)))
    before, recent = stretch_of(days[:, : -RECENT * 7]), stretch_of(days[:, -RECENT * 7 :])
    if years == 1:
        return Column(before, recent, nothing, nothing)
    reference, earlier = before.part(0, WEEKS), before.part(WEEKS, WEEKS)
    last_year = Stretch(before.sums[:, 48:52], before.weights[:, 48:52], before.squares)
    return Column(reference, recent, difference(reference, earlier), difference(recent, last_year))


def draw_sales(groups: int, days: int, mean: float = 10.0, seed: int = 0) -> Floats:
    week = 1 + 0.3 * np.sin(2 * np.pi * np.arange(days) / 7)
    sales: Floats = np.random.default_rng(seed).poisson(mean * week, (groups, days)).astype(float)
    return sales


def found(shift: Shift) -> float:
    return float(shift.beyond(0.5, SCORE).mean())


@pytest.mark.parametrize("mean", [0.2, 10.0])
def test_of_sales_as_ever_hardly_any_have_shifted(mean: float) -> None:
    days = draw_sales(2000, 7 * (WEEKS + RECENT), mean)
    assert found(measure_shift(column_of(days))) < 0.01


@pytest.mark.parametrize("times", [0.5, 0.7, 1.3, 2.0])
def test_another_level_is_found(times: float) -> None:
    days = draw_sales(300, 7 * (WEEKS + RECENT), 20.0)
    days[:, -28:] = np.round(days[:, -28:] * times)
    shift = measure_shift(column_of(days))
    assert found(shift) > 0.95
    assert (np.sign(shift.size) == np.sign(times - 1)).all()


def test_a_season_is_no_shift_where_the_year_before_had_it_too() -> None:
    days = draw_sales(500, 7 * (2 * WEEKS + RECENT), 20.0)
    peak = np.zeros(days.shape[1], dtype=bool)
    peak[-28:] = peak[-364 - 28 : -364] = True
    days[:, peak] *= 2
    assert found(measure_shift(column_of(days, years=2))) < 0.01
    assert found(measure_shift(column_of(days[:, 392:]))) > 0.99


def test_more_than_the_season_is_a_shift() -> None:
    days = draw_sales(300, 7 * (2 * WEEKS + RECENT), 20.0)
    days[:, -28:] *= 2
    assert found(measure_shift(column_of(days, years=2))) > 0.95


def test_what_never_varied_and_does_now_has_shifted_by_the_most() -> None:
    days = np.full((1, 7 * (WEEKS + RECENT)), 5.0)
    assert measure_shift(column_of(days)).size[0] == 0.0
    days[:, -28:] = 6.0
    shift = measure_shift(column_of(days))
    assert (shift.size[0], found(shift)) == (SHIFT_MAX, 1.0)


def test_with_too_few_blocks_nothing_is_compared() -> None:
    young = column_of(draw_sales(3, 7 * (7 + RECENT)))
    assert np.isnan(measure_shift(young).size).all()
    assert found(measure_shift(young)) == 0.0


def _shares(before: list[float], since: list[float], rows: int = 50) -> list[Column]:
    """A column of 0 and 1 for each category; the same shares of ``rows`` in each week."""
    draw = np.random.default_rng(1)
    weeks = [draw.multinomial(rows, shares) for shares in [since] * RECENT + [before] * WEEKS]
    counts = np.array(weeks, dtype=float)[:, :, None]
    ones = np.full((1, WEEKS + RECENT), float(rows))
    columns = []
    for category in range(len(before)):
        sums = counts[:, category].T
        whole = Stretch(sums, ones, sums.sum(axis=1))
        column = column_of(np.zeros((1, 7 * (WEEKS + RECENT))))
        columns.append(
            Column(
                whole.part(RECENT, WEEKS),
                whole.part(0, RECENT),
                column.yearly_reference,
                column.yearly_recent,
            )
        )
    return columns


def test_shares_of_categories_are_measured_by_the_population_stability_index() -> None:
    shift = measure_category_shift(_shares([0.5, 0.5], [0.8, 0.2]))
    index = 0.3 * np.log(0.8 / 0.5) - 0.3 * np.log(0.2 / 0.5)
    assert shift.size[0] == pytest.approx(np.sqrt(index), abs=0.1)
    assert found(shift) == 1.0


def test_shares_as_ever_have_not_shifted() -> None:
    assert found(measure_category_shift(_shares([0.5, 0.3, 0.2], [0.5, 0.3, 0.2]))) == 0.0


def test_a_new_category_is_a_shift() -> None:
    assert found(measure_category_shift(_shares([0.6, 0.4, 0.0], [0.45, 0.3, 0.25]))) == 1.0
