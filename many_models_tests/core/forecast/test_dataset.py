from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.errors import LakeError
from many_models.core.forecast.dataset import NEVER, Dataset, read_dataset
from many_models.core.forecast.panel import count_observed, first_observed, last_observed
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case

DAILY = make_use_case()
NAN = float("nan")
DAY = 19_723  # 2024-01-01


def _one_group(targets: list[float | None], dates: list[datetime | None]) -> Dataset:
    columns: Columns = {"date": dates, "sold": targets}
    return read_dataset(make_shard(DAILY, {("1", "a"): columns}), DAILY)


def test_groups_lie_one_after_another_in_the_order_of_the_shard() -> None:
    use_case = make_use_case(
        features={"known": ["price"], "past": ["visits"], "static": ["region"]}
    )
    shard = make_shard(
        use_case,
        {
            ("2", "b"): make_series(
                use_case, "2024-01-01", [1, None], price=[3, 4], visits=[None, 5], region=["N", "N"]
            ),
            ("1", "a"): make_series(use_case, "2024-01-05", [NAN]),
        },
    )
    dataset = read_dataset(shard, use_case)
    assert dataset.keys == (("2", "b"), ("1", "a"))
    assert dataset.statics == (("N",), ("",))
    assert dataset.offsets.tolist() == [0, 2, 3]
    assert dataset.periods.tolist() == [DAY, DAY + 1, DAY + 4]
    np.testing.assert_array_equal(dataset.target, [1, NAN, NAN])
    np.testing.assert_array_equal(dataset.known, [[3], [4], [NAN]])
    np.testing.assert_array_equal(dataset.past, [[NAN], [5], [NAN]])
    assert dataset.problems == {}


def test_neighbours_that_share_a_key_value_are_told_apart() -> None:
    one = make_series(DAILY, "2024-01-01", [1, 2])
    keys = [("1", "a"), ("1", "b"), ("2", "b"), ("1", "b "), ("", "")]
    dataset = read_dataset(make_shard(DAILY, dict.fromkeys(keys, one)), DAILY)
    assert dataset.keys == tuple(keys)
    assert dataset.offsets.tolist() == [0, 2, 4, 6, 8, 10]


def test_a_shard_without_rows_has_no_groups() -> None:
    dataset = read_dataset(make_shard(DAILY, {}), DAILY)
    assert dataset.keys == ()
    assert dataset.offsets.tolist() == [0]


def test_rows_in_several_chunks_are_read_as_one() -> None:
    series = make_series(DAILY, "2024-01-01", [1, 2, 3])
    shard = make_shard(DAILY, {("1", "a"): series})
    cut = pa.concat_tables([shard.slice(0, 1), shard.slice(1, 1), shard.slice(2)])
    assert read_dataset(cut, DAILY).offsets.tolist() == [0, 3]


def test_a_group_in_two_places_is_refused() -> None:
    series = make_series(DAILY, "2024-01-01", [1])
    parts = [make_shard(DAILY, {key: series}) for key in (("1", "a"), ("1", "b"), ("1", "a"))]
    with pytest.raises(LakeError, match="in two places; materialize grouped_datasets again"):
        read_dataset(pa.concat_tables(parts), DAILY)


@pytest.mark.parametrize(
    ("targets", "dates", "reason", "text"),
    [
        (
            [1.0, 2.0],
            [datetime(2024, 1, 1), datetime(2024, 1, 1)],
            "duplicate_time",
            "date occurs twice; aggregate in the source query (at 2024-01-01",
        ),
        (
            [1.0, 2.0],
            [datetime(2024, 1, 1), datetime(2024, 1, 2, 12)],
            "off_grid_time",
            "date is not on the grid of frequency 'D' (at 2024-01-02T12",
        ),
        ([1.0, 2.0], [None, datetime(2024, 1, 2)], "missing_time", "date is null"),
        (
            [float("-inf"), 2.0],
            [datetime(2024, 1, 1), datetime(2024, 1, 2)],
            "non_finite_value",
            "sold is infinite (at 2024-01-01",
        ),
    ],
)
def test_what_is_wrong_with_a_group_is_written_down_with_its_place(
    targets: list[float | None], dates: list[datetime | None], reason: str, text: str
) -> None:
    problems = _one_group(targets, dates).problems
    assert problems[0].reason == reason
    assert text in problems[0].error


def test_infinite_features_are_problems_too() -> None:
    use_case = make_use_case(features={"known": ["price"], "past": ["visits"]})
    days = "2024-01-01", [1, 2]
    inf = float("inf")
    shard = make_shard(
        use_case,
        {
            ("1", "a"): make_series(use_case, *days, price=[1, inf], visits=[1, 1]),
            ("1", "b"): make_series(use_case, *days, price=[1, 1], visits=[-inf, 1]),
            ("1", "c"): make_series(use_case, *days, price=[1, 1], visits=[1, 1]),
        },
    )
    problems = read_dataset(shard, use_case).problems
    assert {group: problem.error.split()[0] for group, problem in problems.items()} == {
        0: "price",
        1: "visits",
    }


def test_a_group_has_one_problem_however_much_is_wrong_with_it() -> None:
    dataset = _one_group([1, 1, float("inf")], [None, None, datetime(2024, 1, 1, 5)])
    assert {group: problem.reason for group, problem in dataset.problems.items()} == {
        0: "missing_time"
    }


def test_the_same_time_in_two_groups_is_no_duplicate() -> None:
    one = make_series(DAILY, "2024-01-01", [1])
    assert read_dataset(make_shard(DAILY, {("1", "a"): one, ("1", "b"): one}), DAILY).problems == {}


def test_the_hour_that_local_time_repeats_when_summer_ends_is_a_duplicate() -> None:
    hourly = make_use_case(time={"column": "date", "frequency": "h"})
    hours = [datetime(2024, 10, 27, hour) for hour in (1, 2, 2, 3)]
    shard = make_shard(hourly, {("1", "a"): {"date": hours, "sold": [1.0, 2.0, 3.0, 4.0]}})
    (problem,) = read_dataset(shard, hourly).problems.values()
    assert problem.reason == "duplicate_time"
    assert "aggregate in the source query (at 2024-10-27T02" in problem.error


@pytest.mark.parametrize("code", ["h", "D", "W-THU", "MS"])
def test_a_row_without_time_happened_at_no_time(code: str) -> None:
    use_case = make_use_case(time={"column": "date", "frequency": code})
    columns: Columns = {"date": [None, datetime(2024, 2, 1)], "sold": [5.0, 6.0]}
    dataset = read_dataset(make_shard(use_case, {("1", "a"): columns}), use_case)
    origin = int(dataset.periods[1])
    assert dataset.periods[0] == NEVER
    assert count_observed(dataset, origin).tolist() == [1]
    assert first_observed(dataset, origin).tolist() == [origin]
    assert last_observed(dataset, origin).tolist() == [origin]


def test_the_table_is_left_as_it_was() -> None:
    shard = make_shard(DAILY, {("1", "a"): make_series(DAILY, "2024-01-01", [1, None])})
    before = shard.to_pylist()
    read_dataset(shard, DAILY)
    assert shard.to_pylist() == before
