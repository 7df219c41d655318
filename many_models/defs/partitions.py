"""Partitions: time windows of raw data, sets of groups, forecast origins."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import ceil

import dagster as dg
import numpy as np
from sqlalchemy.exc import IntegrityError

from many_models.core.errors import LakeError
from many_models.core.frequency import WEEKDAYS
from many_models.core.use_case import AnyUseCase
from many_models.steps.ingest import TimeWindow

ORIGIN_WINDOWS = {
    "h": "daily",
    "D": "daily",
    "W": "weekly",
    "MS": "monthly",
    "QS": "quarterly",
    "YS": "yearly",
}
MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}
HOLDS_PERIODS = {
    "daily": ("h",),
    "weekly": ("h", "D"),
    "monthly": ("h", "D", "W"),
    "quarterly": ("h", "D", "W", "MS"),
    "yearly": ("h", "D", "W", "MS", "QS"),
}
"""Families of frequencies of which a window holds several periods, some over while it is open."""
PERIOD_DAYS = {"h": 1 / 24, "D": 1.0, "W": 7.0, "MS": 31.0, "QS": 92.0, "YS": 366.0}  # at most
WINDOW_DAYS = {"daily": 1, "weekly": 7, "monthly": 28}  # at least


def raw_windows(use_case: AnyUseCase) -> dg.TimeWindowPartitionsDefinition:
    """Whole windows that cover the source's time; the open one too, if some of it is over.

    Where rows ahead are known without their target, also the windows that these lie in.
    """
    window = use_case.source.window
    days_ahead = use_case.planned_periods * PERIOD_DAYS[use_case.frequency.family]
    open_windows = int(use_case.frequency.family in HOLDS_PERIODS[window])
    if days_ahead:
        open_windows = 1 + ceil(days_ahead / WINDOW_DAYS[window])
    return _windows(use_case, window, open_windows)


def origin_windows(use_case: AnyUseCase) -> dg.TimeWindowPartitionsDefinition:
    """One partition for each forecast origin: a day, or the use case's own longer period."""
    window = ORIGIN_WINDOWS[use_case.frequency.family]
    return _windows(use_case, window, int(use_case.frequency.family in HOLDS_PERIODS[window]))


def group_partitions(use_case: AnyUseCase) -> dg.DynamicPartitionsDefinition:
    """Sets of groups: a key column's values, or hash buckets; new ones register themselves."""
    return dg.DynamicPartitionsDefinition(name=f"{use_case.name}_groups")


def register_partitions(
    use_case: AnyUseCase, instance: dg.DagsterInstance, names: Sequence[str]
) -> None:
    """Add those of these partitions of groups that are new."""
    definition = group_partitions(use_case).name or ""
    try:
        instance.add_dynamic_partitions(definition, names)
    except IntegrityError:  # another run has added one of them in this very moment
        instance.add_dynamic_partitions(definition, names)


def windows_of(
    definition: dg.TimeWindowPartitionsDefinition, keys: Sequence[str]
) -> list[TimeWindow]:
    """The half-open window of each partition key, without a time zone."""
    found = [(key, definition.time_window_for_partition_key(key)) for key in keys]
    return [TimeWindow(k, _plain(w.start), _plain(w.end)) for k, w in found]


def window_key_of(use_case: AnyUseCase, day: date) -> str:
    """Partition key of the window of raw data that a day lies in."""
    return _window_start(use_case.source.window, day, _first_weekday(use_case)).isoformat()


def source_span(use_case: AnyUseCase) -> tuple[datetime, datetime]:
    """First and (exclusive) last time of the source: whole periods from its start to its end."""
    start, end = use_case.source.start, use_case.source.end
    last = datetime.max if end is None else _period(use_case, datetime.combine(end, time.max), 1)
    return _period(use_case, datetime.combine(start, time.min)), last


def available_before(use_case: AnyUseCase, now: datetime) -> datetime:
    """Start of the period that is under way at ``now``: what lies before it is over."""
    return _period(use_case, now)


def readable_before(use_case: AnyUseCase, over_before: datetime) -> datetime:
    """End of what is extracted when the periods before ``over_before`` are over."""
    return _period(use_case, over_before, use_case.planned_periods)


def available_part(use_case: AnyUseCase, window: TimeWindow, before: datetime) -> TimeWindow:
    """What of a window lies within the source's span and ``before``; it may be empty."""
    first, last = source_span(use_case)
    start = max(window.start, first)
    return TimeWindow(window.key, start, max(start, min(window.end, last, before)))


def origin_of(use_case: AnyUseCase, window: TimeWindow, through: datetime) -> datetime:
    """Forecast origin of a window: the last period that begins in it and has data.

    Raises:
        LakeError: the data ends (at ``through``) before the window.
    """
    if through < window.start:
        raise LakeError(
            f"no forecast from {window.key}: the data of {use_case.name!r} ends at {through}; "
            "materialize raw_data and grouped_datasets for later windows first"
        )
    return _period(use_case, min(window.end - timedelta(microseconds=1), through))


def last_time(use_case: AnyUseCase, window: TimeWindow) -> datetime:
    """The last period that is predicted from the origin of a window that is over."""
    final = window.end - timedelta(microseconds=1)
    return _period(use_case, final, use_case.periods_ahead)


def utc_now() -> datetime:
    """The time in UTC, without a time zone, as everything in this module."""
    return datetime.now(UTC).replace(tzinfo=None)


def _period(use_case: AnyUseCase, moment: datetime, later: int = 0) -> datetime:
    """Start of the period that a moment falls in, or of one so many periods ``later``."""
    periods = use_case.frequency.to_period(np.array([moment], dtype="datetime64[us]"))
    start: datetime = use_case.frequency.to_time(periods + later)[0].item()
    return start


def _plain(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _windows(
    use_case: AnyUseCase, window: str, open_windows: int
) -> dg.TimeWindowPartitionsDefinition:
    """Windows over the source's span, both ends widened so that no row falls out.

    Where the source has no end, so many ``open_windows`` follow those that are over.
    """
    start, end = source_span(use_case)
    weekday = _first_weekday(use_case)
    first = datetime.combine(_window_start(window, start.date(), weekday), time.min)
    if use_case.source.end is None:
        last = None
    else:
        final_day = (end - timedelta(microseconds=1)).date()
        last, open_windows = datetime.combine(_next(window, final_day, weekday), time.min), 0
    if window == "daily":
        return dg.DailyPartitionsDefinition(first, last, end_offset=open_windows)
    if window in MONTHS:
        months = f"*/{MONTHS[window]}" if MONTHS[window] < 12 else "1"
        return dg.TimeWindowPartitionsDefinition(
            first, "%Y-%m-%d", last, cron_schedule=f"0 0 1 {months} *", end_offset=open_windows
        )
    return dg.WeeklyPartitionsDefinition(
        first, last, day_offset=(weekday + 1) % 7, end_offset=open_windows
    )


def _first_weekday(use_case: AnyUseCase) -> int:
    """The day on which weeks begin; Monday is 0."""
    frequency = use_case.frequency
    return WEEKDAYS.index(frequency.code[2:]) if frequency.family == "W" else 0


def _window_start(window: str, day: date, weekday: int) -> date:
    if window in MONTHS:
        return day.replace(month=day.month - (day.month - 1) % MONTHS[window], day=1)
    return day - timedelta((day.weekday() - weekday) % 7) if window == "weekly" else day


def _next(window: str, day: date, weekday: int) -> date:
    start = _window_start(window, day, weekday)
    if window in MONTHS:
        return (start + timedelta(31 * MONTHS[window] + 1)).replace(day=1)
    return start + timedelta(7 if window == "weekly" else 1)
