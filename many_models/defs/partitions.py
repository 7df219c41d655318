"""Partitions: time windows of raw data, sets of groups, forecast origins."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import dagster as dg
import numpy as np

from many_models.core.errors import LakeError
from many_models.core.frequency import WEEKDAYS
from many_models.core.use_case import UseCase
from many_models.steps.ingest import TimeWindow

ORIGIN_WINDOWS = {"h": "daily", "D": "daily", "W": "weekly", "MS": "monthly"}


def raw_windows(use_case: UseCase) -> dg.TimeWindowPartitionsDefinition:
    """Windows of the source's time from ``source.start`` to ``source.end``, both whole."""
    return _windows(use_case.source.window, use_case.source.start, use_case.source.end, weekday=0)


def origin_windows(use_case: UseCase) -> dg.TimeWindowPartitionsDefinition:
    """One partition for each forecast origin: a day, or the use case's own week or month."""
    frequency = use_case.frequency
    window = ORIGIN_WINDOWS[frequency.family]
    weekday = WEEKDAYS.index(frequency.code[2:]) if frequency.family == "W" else 0
    return _windows(window, use_case.source.start, use_case.source.end, weekday=weekday)


def group_partitions(use_case: UseCase) -> dg.DynamicPartitionsDefinition:
    """Sets of groups: a key column's values, or hash buckets; new ones register themselves."""
    return dg.DynamicPartitionsDefinition(name=f"{use_case.name}_groups")


def windows_of(
    definition: dg.TimeWindowPartitionsDefinition, keys: Sequence[str]
) -> list[TimeWindow]:
    """The half-open window of each partition key, without a time zone."""
    found = [(key, definition.time_window_for_partition_key(key)) for key in keys]
    return [TimeWindow(k, _plain(w.start), _plain(w.end)) for k, w in found]


def origin_of(use_case: UseCase, window: TimeWindow, through: datetime) -> datetime:
    """Forecast origin of a window: the last period that begins in it and has data.

    Raises:
        LakeError: the data ends (at ``through``) before the window.
    """
    if through < window.start:
        raise LakeError(
            f"no forecast from {window.key}: the data of {use_case.name!r} ends at {through}; "
            "materialize raw_data and grouped_datasets for later windows first"
        )
    last = min(window.end - timedelta(microseconds=1), through)
    periods = use_case.frequency.to_period(np.array([last], dtype="datetime64[us]"))
    origin: datetime = use_case.frequency.to_time(periods)[0].item()
    return origin


def _plain(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _windows(
    window: str, start: date, end: date | None, weekday: int
) -> dg.TimeWindowPartitionsDefinition:
    """Windows that cover [start, end]: both widened to whole windows, so that no row falls out."""
    first = _window_start(window, start, weekday)
    last = (
        None if end is None else datetime.combine(_next(window, end, weekday), datetime.min.time())
    )
    begin = datetime.combine(first, datetime.min.time())
    if window == "daily":
        return dg.DailyPartitionsDefinition(start_date=begin, end_date=last)
    if window == "monthly":
        return dg.MonthlyPartitionsDefinition(start_date=begin, end_date=last)
    sunday_based = (weekday + 1) % 7
    return dg.WeeklyPartitionsDefinition(start_date=begin, end_date=last, day_offset=sunday_based)


def _window_start(window: str, day: date, weekday: int) -> date:
    if window == "monthly":
        return day.replace(day=1)
    return day - timedelta((day.weekday() - weekday) % 7) if window == "weekly" else day


def _next(window: str, day: date, weekday: int) -> date:
    start = _window_start(window, day, weekday)
    if window == "monthly":
        return (start + timedelta(32)).replace(day=1)
    return start + timedelta(7 if window == "weekly" else 1)
