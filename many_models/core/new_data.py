"""New data: what a look at the source's load watermark says of windows that are to be read again.

Pure bookkeeping: what a source answers comes in as ``DayLoads``, what was known before as the
``WatchState`` of the look before, and what is due goes out as a ``Request``. Asking the source is
the work of ``steps.new_data``; the calendar of windows comes from whoever knows it.

Rows may become visible later than their load time says (long transactions), by ``overlap`` at
most. So every look asks for all rows loaded since the newest load time known before, less the
overlap, and compares each day's number of rows and latest load with what the look before saw of
the same stretch of time: what differs has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import Field

from many_models.core.section import Section

BEGINNING = datetime(1900, 1, 1)  # older than any load, and a time in every database
ATTEMPTS_MAX = 3
WINDOWS_MAX = 366  # of one request
CLOCKS_AHEAD = timedelta(days=1)  # a load later than this from now has a wrong time
ZONES_BEHIND = timedelta(hours=12)  # by which a local time may lag behind UTC

Outcome = Literal["under way", "succeeded", "failed", "canceled"]


@dataclass(frozen=True, slots=True)
class DayLoads:
    """Rows of one day of events that were loaded since the moment asked for.

    ``kept`` of them were loaded since the moment that the next look will ask for; ``loaded`` is the
    latest load, ``first`` and ``last`` are the times of the events.
    """

    day: date
    rows: int
    kept: int
    loaded: datetime
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Loads:
    """The source's answer, and whether its load times know of time zones."""

    days: tuple[DayLoads, ...]
    zoned: bool


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a window's last extraction could reach, and when it was asked for (UTC)."""

    reached: datetime
    at: datetime


@dataclass(frozen=True)
class WatchCalendar:
    """A use case's time at one moment ``now`` (UTC): which rows can be read, and in which window.

    Periods before ``before`` are over; ``readable`` gives the end of what can be extracted when
    the periods before its argument are over. Events outside [first, last) are not the use case's.
    """

    now: datetime
    before: datetime
    readable: Callable[[datetime], datetime]
    window_of: Callable[[date], str]
    first: datetime
    last: datetime

    def released(self, first: datetime, last: datetime, earlier: datetime) -> bool:
        """Whether some of the events from ``first`` to ``last`` are over, or can be read ahead,
        that were not when the periods before ``earlier`` were over."""
        return any(
            old < new and first < new and last >= old
            for old, new in (
                (earlier, self.before),
                (self.readable(earlier), self.readable(self.before)),
            )
        )


class Asked(Section):
    """A request whose run has not been seen to end: windows, and what was new about each."""

    key: str
    windows: dict[str, str]
    attempt: int


class WatchState(Section):
    """What one look leaves for the next; JSON is what a sensor's cursor holds.

    ``seen`` has, by day, the rows loaded since ``since`` and the latest load. ``held`` are windows
    with events of periods that are not over. ``failed`` are windows whose runs failed too often.
    """

    digest: str
    since: datetime = BEGINNING
    watermark: datetime = BEGINNING
    before: datetime | None = None
    seen: dict[str, tuple[int, datetime]] = Field(default={})
    held: dict[str, tuple[datetime, datetime]] = Field(default={})
    waiting: dict[str, str] = Field(default={})
    asked: Asked | None = None
    attempt: int = 0
    number: int = 0
    failed: dict[str, str] = Field(default={})
    failed_at: datetime | None = None

    @property
    def looked(self) -> bool:
        """Whether there was a look before."""
        return self.before is not None


@dataclass(frozen=True, slots=True)
class Request:
    """Windows to be refreshed by one run; the same state and the same changes give the same key."""

    key: str
    windows: tuple[str, ...]
    attempt: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a look came to: the state for the next, at most one request, and what to tell."""

    state: WatchState
    request: Request | None
    outside_rows: int
    outside_days: tuple[date, date] | None


def read_state(text: str | None, digest: str) -> WatchState | None:
    """The state that ``text`` holds, None where it is none of this source as it is watched now."""
    try:
        state = WatchState.model_validate_json(text or "")
    except ValueError:
        return None
    return state if state.digest == digest else None


def next_since(state: WatchState, overlap: timedelta) -> datetime:
    """From when on the look after the coming one will ask."""
    return max(state.since, state.watermark - overlap)


def settle(state: WatchState, outcome: Outcome, now: datetime) -> WatchState:
    """The state once the last request's run has ended: what failed is asked for again.

    At most ``ATTEMPTS_MAX`` times; then, or where a person has stopped the run, its windows wait
    for the next change of any window.
    """
    asked = state.asked
    if asked is None or outcome == "under way":
        return state
    changes: dict[str, object] = {"asked": None, "attempt": 0}
    if outcome == "succeeded":
        changes["failed"] = {k: v for k, v in state.failed.items() if k not in asked.windows}
    elif outcome == "failed" and asked.attempt < ATTEMPTS_MAX:
        changes |= {"waiting": {**asked.windows, **state.waiting}, "attempt": asked.attempt}
    else:
        changes |= {"failed": {**state.failed, **asked.windows}, "failed_at": now}
    return state.model_copy(update=changes)


def forgive(state: WatchState, ingested: Mapping[str, Ingested]) -> WatchState:
    """The state without failed windows that somebody has ingested since they failed."""
    at = state.failed_at
    mended = {k for k, found in ingested.items() if at is not None and found.at > at}
    failed = {k: v for k, v in state.failed.items() if k not in mended}
    return state.model_copy(update={"failed": failed})


def look(
    state: WatchState,
    loads: Loads,
    calendar: WatchCalendar,
    overlap: timedelta,
    ingested: Mapping[str, Ingested],
) -> Look:
    """Compare what the source says with what was known, and ask for what is due.

    ``ingested`` matters for the first look only: what was extracted before is not asked for again,
    unless it was loaded later, or so shortly before that the extraction may not have seen it.
    """
    margin = overlap if loads.zoned else overlap + ZONES_BEHIND
    own = [d for d in loads.days if calendar.first <= d.first and d.last < calendar.last]
    due, held = _due_for_time(state, calendar)
    found: dict[str, list[DayLoads]] = {}
    for load in _changed(state, own):
        window = calendar.window_of(load.day)
        if load.last >= calendar.before:
            first, last = held.get(window, (load.first, load.last))
            held[window] = min(first, load.first), max(last, load.last)
        old = None if state.looked else ingested.get(window)
        if load.first < calendar.readable(calendar.before) and not (
            old and _covers(old, load, calendar, margin)
        ):
            found.setdefault(window, []).append(load)
    due |= {window: _mark(days) for window, days in found.items()}
    sane = [d.loaded for d in loads.days if d.loaded <= calendar.now + CLOCKS_AHEAD]
    looked = state.model_copy(
        update={
            "since": next_since(state, overlap),
            "watermark": max([state.watermark, *sane]),
            "before": calendar.before,
            "seen": {str(d.day): (d.kept, d.loaded) for d in own if d.kept},
            "held": held,
        }
    )
    after, request = _ask(looked, {**state.waiting, **due})
    outside = [d for d in loads.days if d not in own]
    days = sorted(d.day for d in outside)
    return Look(after, request, sum(d.rows for d in outside), (days[0], days[-1]) if days else None)


def _changed(state: WatchState, loads: Sequence[DayLoads]) -> list[DayLoads]:
    changed = [d for d in loads if state.seen.get(str(d.day)) != (d.rows, d.loaded)]
    there = {str(d.day) for d in loads}
    for day in sorted(state.seen.keys() - there):  # rows were deleted, or loaded again elsewhere
        start = datetime.fromisoformat(day)
        end = start + timedelta(days=1) - timedelta.resolution
        changed.append(DayLoads(start.date(), 0, 0, state.seen[day][1], start, end))
    return changed


def _due_for_time(
    state: WatchState, calendar: WatchCalendar
) -> tuple[dict[str, str], dict[str, tuple[datetime, datetime]]]:
    """Windows held back that are due now, and those that are held on."""
    mark = f"over before {calendar.before}"
    earlier = state.before or calendar.before
    due = {w: mark for w, span in state.held.items() if calendar.released(*span, earlier)}
    return due, {w: span for w, span in state.held.items() if span[1] >= calendar.before}


def _covers(old: Ingested, load: DayLoads, calendar: WatchCalendar, margin: timedelta) -> bool:
    """Whether an extraction has surely seen all of a day's rows that can be read now."""
    released = calendar.released(load.first, load.last, old.reached)
    return not released and load.loaded < old.at - margin


def _mark(days: Sequence[DayLoads]) -> str:
    return f"{sum(d.rows for d in days)} rows by {max(d.loaded for d in days)}"


def _ask(state: WatchState, due: Mapping[str, str]) -> tuple[WatchState, Request | None]:
    if not due:
        return state.model_copy(update={"waiting": {}}), None
    wanted = sorted({**state.failed, **due}.items())
    now, later = dict(wanted[:WINDOWS_MAX]), dict(wanted[WINDOWS_MAX:])
    number, attempt = state.number + 1, state.attempt + 1
    text = json.dumps([state.digest, number, sorted(now.items())])
    key = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}-{attempt}"
    changes = {
        "waiting": later,
        "asked": Asked(key=key, windows=now, attempt=attempt),
        "number": number,
    }
    return state.model_copy(update=changes), Request(key, tuple(now), attempt)
