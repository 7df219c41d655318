from __future__ import annotations

import numpy as np
import pytest

from many_models.core.data_blocks import GRIDS, DataBlocks, blocks_since
from many_models.core.drift_rules import WINDOWS
from many_models_tests.fakes import make_series, make_shard, make_use_case

TEA = ("s1", "tea")
KEY = "store=s1,item=tea"


def days_from_new_year(count: int) -> np.datetime64:
    return np.datetime64("2024-01-01", "us") + np.timedelta64(count - 1, "D")


def test_every_frequency_has_a_window_of_two_blocks_or_more() -> None:
    assert GRIDS.keys() == WINDOWS.keys()
    assert all(WINDOWS[family] // grid.length >= 2 for family, grid in GRIDS.items())


@pytest.mark.parametrize(("days", "blocks"), [(0, 0), (13, 0), (14, 2), (27, 3), (28, 4), (99, 4)])
def test_whole_weeks_of_the_window_have_come_since_training(days: int, blocks: int) -> None:
    trained = np.array([days_from_new_year(100)])
    through = np.array([days_from_new_year(100 + days)])
    assert blocks_since(make_use_case(), trained, through).tolist() == [blocks]


def test_rows_lie_in_weeks_that_count_back_from_training_and_from_the_end_of_data() -> None:
    use_case = make_use_case()
    days = [float(day) for day in range(1, 43)]
    table = make_shard(use_case, {TEA: make_series(use_case, "2024-01-01", days)})
    rows = DataBlocks.read(table, use_case, {KEY: days_from_new_year(24)}, days_from_new_year(42))
    (target,) = dict(rows.columns())["sold"]
    before, since = target.reference, target.recent
    assert (before.sums[0, :3] / 7).tolist() == [21.0, 14.0, 7.0]
    assert before.weights[0, :5].tolist() == [7.0, 7.0, 7.0, 3.0, 0.0]
    assert (since.sums / since.weights)[0].tolist() == [39.0, 32.0]
    assert since.squares[0] == sum(day**2 for day in range(29, 43))


def test_gaps_that_are_zeros_weigh_and_nulls_do_not() -> None:
    use_case = make_use_case()
    sold = make_series(use_case, "2024-01-01", [2.0] * 14 + [None] + [2.0] * 6)
    table = make_shard(use_case, {TEA: sold})
    rows = DataBlocks.read(table, use_case, {KEY: days_from_new_year(7)}, days_from_new_year(28))
    (target,) = dict(rows.columns())["sold"]
    assert target.recent.sums.tolist() == [[0.0, 12.0, 14.0]]
    assert target.recent.weights.tolist() == [[7.0, 6.0, 7.0]]
