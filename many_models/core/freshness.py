"""Is the data there that should be? By the data's own time, and the use case's frequency.

Here is what is due, and how late it is. Reading the lake is the steps' work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np

from many_models.core.use_case import AnyUseCase


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest data beside what is due; all times in UTC, without a time zone.

    ``newest`` is the last time with a target (None: there is no data), ``expected`` the start of
    the newest period that should be there (None: none need be), ``periods_late`` how many are
    missing up to it, and ``due`` when the first of these should have been there.
    """

    newest: datetime | None
    expected: datetime | None
    periods_late: int
    due: datetime | None

    @property
    def holds(self) -> bool:
        return self.periods_late == 0


def judge_freshness(use_case: AnyUseCase, newest: datetime | None, now: datetime) -> Freshness:
    """How late the data is at ``now`` (UTC, without a time zone).

    Data of a source that has ended is not late any more, nor where no time is set.
    """
    hours = use_case.source.expected_within_hours
    if hours is None:
        return Freshness(newest, None, 0, None)
    within = timedelta(hours=hours)
    first = _period(use_case, datetime.combine(use_case.source.start, time.min))
    expected = _period(use_case, now - within) - 1
    end = use_case.source.end
    over = end is not None and expected > _period(use_case, datetime.combine(end, time.max))
    if over or expected < first:
        return Freshness(newest, None, 0, None)
    reached = first - 1 if newest is None else _period(use_case, newest)
    late = max(0, expected - reached)
    due = _start(use_case, reached + 2) + within if late else None
    return Freshness(newest, _start(use_case, expected), late, due)


def describe_freshness(
    use_case: AnyUseCase, found: Freshness, extracted_before: datetime | None
) -> str:
    """What an operator needs to know, and to do.

    ``extracted_before`` is the time (exclusive) that extractions have reached, None without any.
    """
    name, target = use_case.name, use_case.target
    there = f"no {target} is there" if found.newest is None else f"{target} to {_say(found.newest)}"
    if found.expected is None:
        return f"{there}; {_why_nothing_is_due(use_case)}"
    if found.due is None:
        return f"{there}; due is that of {_say(found.expected)}"
    asked = extracted_before is not None and extracted_before > found.expected
    remedy = (
        "the source was asked and had no more: ask who fills it"
        if asked
        else f"no run has asked the source for it: start {name}_ingest, or switch on what does"
    )
    return (
        f"{there}; {found.periods_late} periods to {_say(found.expected)} are missing, the first "
        f"since {_say(found.due)} UTC; {remedy}"
    )


def _say(moment: datetime) -> str:
    """A day where it is one, else the time as well."""
    return str(moment.date() if moment.time() == time.min else moment)


def _why_nothing_is_due(use_case: AnyUseCase) -> str:
    source = use_case.source
    if source.expected_within_hours is None:
        return "source.expected_within_hours is null, so that nothing is ever late"
    return f"the source ended on {source.end}" if source.end else "nothing is due yet"


def _period(use_case: AnyUseCase, moment: datetime) -> int:
    return int(use_case.frequency.to_period(np.array([moment], dtype="datetime64[us]"))[0])


def _start(use_case: AnyUseCase, period: int) -> datetime:
    start: datetime = use_case.frequency.to_time(np.array([period]))[0].item()
    return start
