"""Partitions: no row falls out of the windows, and nothing that is not over gets in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise

import dagster as dg
import pytest
from sqlalchemy.exc import IntegrityError

from many_models.core.errors import LakeError
from many_models.defs.partitions import (
    available_before,
    available_part,
    group_partitions,
    origin_of,
    origin_windows,
    raw_windows,
    readable_before,
    register_partitions,
    windows_of,
)
from many_models.steps.ingest import TimeWindow
from many_models_tests.fakes import make_use_case

NOW = datetime(2024, 7, 10, 15, 30)  # a Wednesday


def source(window: str, start: str, end: str | None = None) -> dict[str, object]:
    place = {"url": "sqlite:///sales.db", "table": "sales"}
    return {**place, "window": window, "start": start, "end": end}


def keys_now(definition: dg.TimeWindowPartitionsDefinition) -> list[str]:
    return list(definition.get_partition_keys(current_time=NOW))


@pytest.mark.parametrize("frequency", ["h", "D", "W-MON", "W-SAT", "MS"])
@pytest.mark.parametrize("window", ["daily", "weekly", "monthly"])
@pytest.mark.parametrize(
    ("start", "end"), [("2024-01-01", "2024-12-31"), ("2023-11-15", "2024-02-29")]
)
def test_windows_follow_each_other_and_cover_the_source_from_start_to_end(
    frequency: str, window: str, start: str, end: str
) -> None:
    use_case = make_use_case(
        source=source(window, start, end), time={"column": "date", "frequency": frequency}
    )
    definition = raw_windows(use_case)
    windows = windows_of(definition, definition.get_partition_keys())
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert windows[0].start <= datetime.fromisoformat(start)
    assert windows[-1].end >= datetime.fromisoformat(end) + timedelta(1)
    parts = [available_part(use_case, window, datetime.max) for window in windows]
    assert all(part.start < part.end for part in parts)


def test_rows_before_the_start_and_after_the_end_stay_out() -> None:
    use_case = make_use_case(source=source("monthly", "2024-01-15", "2024-02-10"))
    windows = windows_of(raw_windows(use_case), ["2024-01-01", "2024-02-01"])
    parts = [available_part(use_case, window, datetime.max) for window in windows]
    assert [(part.start, part.end) for part in parts] == [
        (datetime(2024, 1, 15), datetime(2024, 2, 1)),
        (datetime(2024, 2, 1), datetime(2024, 2, 11)),
    ]


def test_a_start_within_a_period_takes_the_whole_period() -> None:
    use_case = make_use_case(
        source=source("monthly", "2024-01-15", "2024-03-10"),
        time={"column": "date", "frequency": "MS"},
    )
    windows = windows_of(raw_windows(use_case), ["2024-01-01", "2024-03-01"])
    parts = [available_part(use_case, window, datetime.max) for window in windows]
    assert (parts[0].start, parts[1].end) == (datetime(2024, 1, 1), datetime(2024, 4, 1))


def test_weekly_windows_begin_on_the_day_that_the_use_cases_weeks_begin_on() -> None:
    use_case = make_use_case(
        source=source("weekly", "2024-01-01", "2024-01-31"),
        time={"column": "date", "frequency": "W-SAT"},
    )
    assert keys_now(raw_windows(use_case))[:2] == ["2023-12-30", "2024-01-06"]


@pytest.mark.parametrize(
    ("window", "frequency", "last"),
    [
        ("daily", "D", "2024-07-09"),
        ("daily", "h", "2024-07-10"),
        ("weekly", "D", "2024-07-08"),
        ("weekly", "W-MON", "2024-07-01"),
        ("monthly", "D", "2024-07-01"),
        ("monthly", "W-MON", "2024-07-01"),
        ("monthly", "MS", "2024-06-01"),
    ],
)
def test_the_open_window_is_offered_where_some_of_its_periods_are_over(
    window: str, frequency: str, last: str
) -> None:
    use_case = make_use_case(
        source=source(window, "2024-01-01"), time={"column": "date", "frequency": frequency}
    )
    assert keys_now(raw_windows(use_case))[-1] == last


@pytest.mark.parametrize(
    ("frequency", "through"),
    [
        ("h", datetime(2024, 7, 10, 15)),
        ("D", datetime(2024, 7, 10)),
        ("W-MON", datetime(2024, 7, 8)),
        ("MS", datetime(2024, 7, 1)),
    ],
)
def test_a_period_under_way_is_not_available(frequency: str, through: datetime) -> None:
    use_case = make_use_case(
        source=source("monthly", "2024-01-01"), time={"column": "date", "frequency": frequency}
    )
    assert available_before(use_case, NOW) == through


def test_the_open_window_is_extracted_up_to_the_last_period_that_is_over() -> None:
    use_case = make_use_case(source=source("monthly", "2024-01-01"))
    (window,) = windows_of(raw_windows(use_case), ["2024-07-01"])
    part = available_part(use_case, window, available_before(use_case, NOW))
    assert (part.start, part.end) == (datetime(2024, 7, 1), datetime(2024, 7, 10))


def test_an_open_window_without_a_period_that_is_over_is_empty() -> None:
    use_case = make_use_case(source=source("monthly", "2024-01-01"))
    (window,) = windows_of(raw_windows(use_case), ["2024-07-01"])
    before = available_before(use_case, datetime(2024, 7, 1, 9))
    part = available_part(use_case, window, before)
    assert part.start == part.end


@pytest.mark.parametrize(
    ("frequency", "key", "origin"),
    [
        ("h", "2024-02-05", datetime(2024, 2, 5, 23)),
        ("D", "2024-02-05", datetime(2024, 2, 5)),
        ("W-WED", "2024-02-07", datetime(2024, 2, 7)),
        ("MS", "2024-02-01", datetime(2024, 2, 1)),
    ],
)
def test_an_origin_is_the_last_period_that_begins_in_its_window(
    frequency: str, key: str, origin: datetime
) -> None:
    use_case = make_use_case(
        source=source("daily", "2024-01-01", "2024-03-31"),
        time={"column": "date", "frequency": frequency},
    )
    assert key in keys_now(origin_windows(use_case))
    (window,) = windows_of(origin_windows(use_case), [key])
    assert origin_of(use_case, window, through=datetime(2024, 3, 31, 23)) == origin


def test_an_origin_is_no_later_than_the_data() -> None:
    use_case = make_use_case(time={"column": "date", "frequency": "h"})
    window = TimeWindow("2024-02-05", datetime(2024, 2, 5), datetime(2024, 2, 6))
    assert origin_of(use_case, window, datetime(2024, 2, 5, 7)) == datetime(2024, 2, 5, 7)


def test_an_origin_after_the_end_of_the_data_is_refused() -> None:
    window = TimeWindow("2024-02-05", datetime(2024, 2, 5), datetime(2024, 2, 6))
    with pytest.raises(LakeError, match=r"no forecast from 2024-02-05.*materialize raw_data"):
        origin_of(make_use_case(), window, datetime(2024, 2, 4))


def test_hourly_origins_of_today_are_offered() -> None:
    use_case = make_use_case(
        source=source("daily", "2024-07-01"), time={"column": "date", "frequency": "h"}
    )
    assert keys_now(origin_windows(use_case))[-1] == "2024-07-10"


def test_sets_of_groups_are_dynamic_partitions_of_the_use_case_alone() -> None:
    assert group_partitions(make_use_case(name="sales")).name == "sales_groups"


@pytest.mark.parametrize(
    ("window", "last"),
    [("daily", "2024-07-24"), ("weekly", "2024-07-22"), ("monthly", "2024-08-01")],
)
def test_windows_of_an_open_source_reach_as_far_ahead_as_features_are_known(
    window: str, last: str
) -> None:
    use_case = make_use_case(
        source=source(window, "2024-01-01"), features={"known": ["price"]}, horizon=14
    )
    keys = keys_now(raw_windows(use_case))
    assert last in keys
    before = available_before(use_case, NOW)
    assert readable_before(use_case, before) == datetime(2024, 7, 24)
    assert windows_of(raw_windows(use_case), keys[-1:])[0].end >= datetime(2024, 7, 24)
    assert keys_now(origin_windows(use_case))[-1] == "2024-07-09"


def test_nothing_ahead_is_read_when_no_feature_is_known_in_the_future() -> None:
    use_case = make_use_case(source=source("monthly", "2024-01-01"))
    before = available_before(use_case, NOW)
    assert readable_before(use_case, before) == before
    assert keys_now(raw_windows(use_case))[-1] == "2024-07-01"


def test_partitions_that_two_runs_add_in_one_moment_are_there_for_both(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, attempts = instance.add_dynamic_partitions, count(1)

    def contested(name: str, keys: Sequence[str]) -> None:
        if next(attempts) == 1:
            add(name, ["a"])
            raise IntegrityError("INSERT", None, ValueError("UNIQUE constraint failed"))
        add(name, keys)

    monkeypatch.setattr(instance, "add_dynamic_partitions", contested)
    register_partitions(make_use_case(), instance, ["a", "b"])
    assert instance.get_dynamic_partitions("sales_groups") == ["a", "b"]
