from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from many_models.core.forecast.dataset import Dataset, read_dataset
from many_models.core.forecast.panel import (
    Panel,
    build_panel,
    count_observed,
    fill_known,
    first_observed,
    last_observed,
)
from many_models.core.forecast.use_case import UseCase
from many_models_tests.fakes import make_series, make_shard, make_use_case, without_rows

DAILY = make_use_case()
SENSOR = make_use_case(gaps="missing")
NAN = float("nan")
DAY = 19_723  # 2024-01-01


def _panel(use_case: UseCase, groups: dict[tuple[str, ...], Any], **arguments: Any) -> Panel:
    dataset = read_dataset(make_shard(use_case, groups), use_case)
    return build_panel(dataset, np.arange(len(dataset.keys)), use_case, **arguments)


def _extent(dataset: Dataset, origin: int) -> list[list[int]]:
    functions = (count_observed, first_observed, last_observed)
    return [function(dataset, origin).tolist() for function in functions]


def test_every_group_runs_from_its_first_target_to_the_same_end() -> None:
    late = make_series(DAILY, "2024-01-02", [None, 7])
    panel = _panel(
        DAILY,
        {("1", "a"): make_series(DAILY, "2024-01-01", [1, 2]), ("1", "b"): late},
        origin=DAY + 3,
        ahead=1,
    )
    assert panel.starts.tolist() == [DAY, DAY + 2]
    assert panel.history.tolist() == [4, 2]
    assert panel.offsets.tolist() == [0, 5, 8]
    assert panel.periods.tolist() == [*range(DAY, DAY + 5), *range(DAY + 2, DAY + 5)]
    assert panel.row_in_group.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    np.testing.assert_array_equal(panel.target, [1, 2, 0, 0, NAN, 7, 0, NAN])


@pytest.mark.parametrize(("use_case", "gap"), [(DAILY, 0.0), (SENSOR, NAN)])
def test_a_period_without_a_row_is_zero_or_missing_as_the_use_case_says(
    use_case: UseCase, gap: float
) -> None:
    series = without_rows(make_series(use_case, "2024-01-01", [1, 9, 3]), [1])
    panel = _panel(use_case, {("1", "a"): series}, origin=DAY + 3)
    np.testing.assert_array_equal(panel.target, [1, gap, 3, gap])


def test_a_row_whose_target_is_null_is_missing_even_where_gaps_are_zero() -> None:
    series = make_series(DAILY, "2024-01-01", [1, None, NAN, 4])
    panel = _panel(DAILY, {("1", "a"): series}, origin=DAY + 4)
    np.testing.assert_array_equal(panel.target, [1, NAN, NAN, 4, 0])


def test_what_has_not_been_ingested_yet_is_missing_even_where_gaps_are_zero() -> None:
    use_case = make_use_case(features={"past": ["visits"]})
    series = without_rows(make_series(use_case, "2024-01-01", [1, 9, 3], visits=[5, 9, 6]), [1])
    panel = _panel(use_case, {("1", "a"): series}, origin=DAY + 5, data_through=DAY + 3)
    np.testing.assert_array_equal(panel.target, [1, 0, 3, 0, NAN, NAN])
    np.testing.assert_array_equal(panel.past[:, 0], [5, 0, 6, 0, NAN, NAN])


def test_targets_and_past_features_after_the_origin_are_not_there_but_known_ones_are() -> None:
    use_case = make_use_case(features={"known": ["price"], "past": ["visits"]})
    series = make_series(
        use_case, "2024-01-01", [1, 2, 3, 4], price=[5, 6, 7, 8], visits=[1, 1, 1, 1]
    )
    panel = _panel(use_case, {("1", "a"): series}, origin=DAY + 1, ahead=1)
    np.testing.assert_array_equal(panel.target, [1, 2, NAN])
    np.testing.assert_array_equal(panel.past[:, 0], [1, 1, NAN])
    np.testing.assert_array_equal(panel.known[:, 0], [5, 6, 7])


def test_some_groups_of_a_shard_make_the_panel_they_would_make_alone() -> None:
    groups = {
        ("1", "a"): make_series(DAILY, "2023-01-01", [1, 2]),
        ("1", "b"): make_series(DAILY, "2024-01-01", [3]),
        ("1", "c"): make_series(DAILY, "2024-01-02", [4]),
    }
    dataset = read_dataset(make_shard(DAILY, groups), DAILY)
    panel = build_panel(dataset, np.array([1, 2]), DAILY, origin=DAY + 2)
    assert panel.target.tolist() == [3, 0, 0, 4, 0]


def test_values_are_found_by_period_and_missing_before_the_group_begins() -> None:
    panel = _panel(
        DAILY,
        {
            ("1", "a"): make_series(DAILY, "2024-01-01", [1, 2, 3]),
            ("1", "b"): make_series(DAILY, "2024-01-03", [30]),
        },
        origin=DAY + 2,
        ahead=1,
    )
    periods = np.array([[DAY - 9, DAY], [DAY + 2, DAY + 3]])
    found = panel.values_at(panel.target, periods)
    np.testing.assert_array_equal(found, [[[NAN, 1], [3, NAN]], [[NAN, NAN], [30, NAN]]])
    assert panel.rows_at(np.array([DAY + 2])).tolist() == [[2], [4]]


@pytest.mark.parametrize(
    ("fill", "filled"),
    [("zero", [0, 5, 0, 6, 0, 0, 0, 0]), ("last", [5, 5, 5, 6, 6, NAN, NAN, NAN])],
)
def test_known_features_are_filled_within_their_group(fill: str, filled: list[float]) -> None:
    values = np.array([NAN, 5, NAN, 6, NAN, NAN, NAN, NAN])
    before = values.copy()
    np.testing.assert_array_equal(fill_known(values, np.array([0, 5, 8]), fill), filled)
    np.testing.assert_array_equal(values, before)


def test_a_known_feature_of_a_period_without_a_row_is_filled_as_the_use_case_says() -> None:
    known = ["price", {"name": "promotion", "fill": "zero"}]
    use_case = make_use_case(features={"known": known})
    series = make_series(use_case, "2024-01-01", [1, 2, 3], price=[7, 8, 9], promotion=[1, 1, 1])
    panel = _panel(use_case, {("1", "a"): without_rows(series, [1])}, origin=DAY + 2, ahead=1)
    assert panel.known.tolist() == [[7, 1], [7, 0], [9, 1], [9, 0]]


def test_counts_look_no_further_than_the_origin() -> None:
    series = make_series(DAILY, "2024-01-01", [None, 2, NAN, 4, 5])
    nothing = make_series(DAILY, "2024-01-01", [None, None])
    dataset = read_dataset(make_shard(DAILY, {("1", "a"): series, ("1", "b"): nothing}), DAILY)
    count, first, last = _extent(dataset, DAY + 3)
    assert (count[0], first[0], last[0]) == (2, DAY + 1, DAY + 3)
    assert (count[1], first[1]) == (0, DAY + 4)
    assert [values[0] for values in _extent(dataset, DAY + 9)] == [3, DAY + 1, DAY + 4]


def test_a_shard_without_rows_has_nothing_to_count() -> None:
    dataset = read_dataset(make_shard(DAILY, {}), DAILY)
    assert _extent(dataset, DAY) == [[], [], []]
