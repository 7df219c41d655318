"""The bookkeeping of a watched source, over a source that is a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest

from many_models.core.new_data import (
    WINDOWS_MAX,
    DayLoads,
    Ingested,
    Loads,
    Look,
    Outcome,
    Request,
    WatchCalendar,
    WatchState,
    forgive,
    look,
    next_since,
    read_state,
    settle,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2024, 3, 10, 12)


@dataclass
class Source:
    """Rows as pairs of an event's time and its load's time, watched by windows of a day."""

    rows: list[tuple[datetime, datetime]] = field(default_factory=list)
    state: WatchState = field(default_factory=lambda: WatchState(digest="d"))
    now: datetime = NOW
    zoned: bool = True
    ahead: int = 0
    monthly: bool = False
    period: timedelta = DAY

    def load(self, day: str, at: str, count: int = 1) -> None:
        moment = datetime.fromisoformat(day), datetime.fromisoformat(at)
        self.rows += [moment] * count

    def calendar(self) -> WatchCalendar:
        midnight = datetime.combine(self.now.date(), datetime.min.time())
        before = midnight + (self.now - midnight) // self.period * self.period
        return WatchCalendar(
            self.now,
            before,
            lambda over: over + self.ahead * self.period,
            lambda day: str(day.replace(day=1) if self.monthly else day),
            datetime(2024, 1, 1),
            datetime(2024, 7, 1),
        )

    def loads(self) -> Loads:
        kept_from, found = next_since(self.state, HOUR), list[DayLoads]()
        since = [row for row in self.rows if row[1] >= self.state.since]
        for day in sorted({time.date() for time, _ in since}):
            mine = [row for row in since if row[0].date() == day]
            times, loads = [t for t, _ in mine], [at for _, at in mine]
            kept = sum(at >= kept_from for at in loads)
            found.append(DayLoads(day, len(mine), kept, max(loads), min(times), max(times)))
        return Loads(tuple(found), self.zoned)

    def look(self, ingested: Mapping[str, Ingested] | None = None) -> Look:
        found = look(self.state, self.loads(), self.calendar(), HOUR, ingested or {})
        self.state = WatchState.model_validate_json(found.state.model_dump_json())
        return found

    def tick(
        self, outcome: Outcome = "succeeded", ingested: dict[str, Ingested] | None = None
    ) -> Request | None:
        """A look after the last run has ended so."""
        self.state = settle(self.state, outcome, self.now)
        return self.look(ingested).request

    def windows(self, outcome: Outcome = "succeeded") -> tuple[str, ...]:
        request = self.tick(outcome)
        return request.windows if request else ()


@pytest.fixture
def source() -> Source:
    """Two days of rows, loaded the night after, that have been asked for."""
    made = Source()
    made.load("2024-03-08", "2024-03-09 05:00", 3)
    made.load("2024-03-09", "2024-03-10 05:00", 3)
    assert made.windows() == ("2024-03-08", "2024-03-09")
    assert made.windows() == ()
    return made


def test_late_rows_ask_for_the_dates_that_they_touch_and_no_other(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    source.load("2024-03-09", "2024-03-10 11:00")
    assert source.windows() == ("2024-02-03", "2024-03-09")
    assert source.windows() == () == source.windows()


def test_rows_that_become_visible_late_within_the_overlap_are_found(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    assert source.windows() == ("2024-02-03",)
    source.load("2024-02-04", "2024-03-10 10:01")
    source.load("2024-02-03", "2024-03-10 10:30")
    assert source.windows() == ("2024-02-03", "2024-02-04")
    source.load("2024-02-05", "2024-03-10 08:59")  # later than was promised
    assert source.windows() == ()


def test_what_leaves_the_overlap_is_no_change(source: Source) -> None:
    for hour in (10, 11, 12, 13):
        source.load("2024-03-09", f"2024-03-10 {hour}:00", hour)
        assert source.windows() == ("2024-03-09",)
    assert source.windows() == () == source.windows()
    assert source.state.seen == {"2024-03-09": (25, datetime(2024, 3, 10, 13))}


def test_a_row_that_is_loaded_again_under_another_date_asks_for_both(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    assert source.windows() == ("2024-02-03",)
    source.windows()
    source.rows.remove((datetime(2024, 2, 3), datetime(2024, 3, 10, 11)))
    source.load("2024-02-04", "2024-03-10 11:05")
    assert source.windows() == ("2024-02-03", "2024-02-04")


def test_the_same_look_twice_gives_the_same_key_and_another_look_another(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    before = source.state
    first = source.tick()
    source.state = before
    assert source.tick() == first and first is not None
    source.load("2024-02-03", "2024-03-10 11:30")
    second = source.tick()
    assert second is not None and second.windows == first.windows and second.key != first.key


def test_a_count_that_comes_back_is_another_request(source: Source) -> None:
    row = datetime(2024, 2, 3), datetime(2024, 3, 10, 11)
    keys = set()
    for count in (1, 2, 1):
        source.rows = [other for other in source.rows if other != row] + [row] * count
        request = source.tick()
        assert request is not None
        keys.add(request.key)
    assert len(keys) == 3


def test_rows_of_the_period_under_way_wait_until_it_is_over(source: Source) -> None:
    source.load("2024-03-10 09:00", "2024-03-10 11:00")
    assert source.windows() == ()
    source.now += 11 * HOUR
    assert source.windows() == ()
    source.now += 2 * HOUR
    assert source.windows() == ("2024-03-10",)
    assert source.windows() == () and source.state.held == {}


def test_hours_of_one_window_are_asked_for_as_each_is_over() -> None:
    source = Source(period=HOUR)
    source.load("2024-03-10 11:30", "2024-03-10 11:40")
    source.load("2024-03-10 12:10", "2024-03-10 12:12")
    source.now = datetime(2024, 3, 10, 12, 15)
    assert source.windows() == ("2024-03-10",)
    assert source.windows() == ()
    source.now = datetime(2024, 3, 10, 13, 1)
    assert source.windows() == ("2024-03-10",)
    assert source.windows() == ()


def test_plans_are_asked_for_at_once_as_far_ahead_as_they_are_used_and_again_when_over() -> None:
    source = Source(ahead=3)
    for day in ("2024-03-10", "2024-03-12", "2024-03-14"):
        source.load(day, "2024-03-10 05:00")
    assert source.windows() == ("2024-03-10", "2024-03-12")
    source.load("2024-03-12", "2024-03-10 11:50")
    assert source.windows() == ("2024-03-12",)
    asked = {}
    for _ in range(6):
        source.now += DAY
        asked[f"{source.now:%d}"] = [day[-2:] for day in source.windows()]
    assert asked == {"11": ["10"], "12": ["14"], "13": ["12"], "14": [], "15": ["14"], "16": []}


def test_days_of_one_month_are_one_window(source: Source) -> None:
    monthly = Source(rows=list(source.rows), monthly=True)
    assert monthly.windows() == ("2024-03-01",)
    monthly.load("2024-01-31", "2024-03-10 11:00")
    monthly.load("2024-01-30", "2024-03-10 11:00")
    assert monthly.windows() == ("2024-01-01",)


def test_rows_outside_of_the_span_are_told_and_left_out(source: Source) -> None:
    source.load("2023-12-31", "2024-03-10 11:00", 2)
    source.load("2024-07-01", "2024-03-10 11:00")
    found = source.look()
    assert found.request is None and found.outside_rows == 3
    assert found.outside_days == (date(2023, 12, 31), date(2024, 7, 1))


def test_many_windows_are_asked_for_in_several_requests_without_another_change() -> None:
    source = Source(monthly=False)
    for day in range(60):
        source.load(str(date(2024, 1, 1) + timedelta(day)), "2024-03-10 05:00")
    source.state = source.state.model_copy(
        update={"waiting": {f"0 {n:04}": "" for n in range(WINDOWS_MAX)}}
    )
    first = source.windows()
    assert len(first) == WINDOWS_MAX and first[0] == "0 0000"
    second = source.windows()
    assert len(second) == 60 and second[-1] == "2024-02-29"
    assert source.windows() == ()


def test_a_failed_refresh_is_asked_for_again_three_times_in_all(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    requests = [source.tick(), source.tick("failed"), source.tick("failed")]
    assert [r and (r.attempt, r.windows) for r in requests] == [
        (attempt, ("2024-02-03",)) for attempt in (1, 2, 3)
    ]
    assert len({r.key for r in requests if r}) == 3
    assert source.windows("failed") == () == source.windows()
    assert list(source.state.failed) == ["2024-02-03"]


def test_new_rows_anywhere_try_what_failed_once_more(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    source.windows()
    for _ in range(3):
        source.windows("failed")
    source.load("2024-02-09", "2024-03-10 11:30")
    assert source.windows() == ("2024-02-03", "2024-02-09")
    assert source.windows() == () and source.state.failed == {}


def test_rows_that_come_while_a_run_fails_are_asked_for_with_its_windows(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    source.windows()
    source.load("2024-02-09", "2024-03-10 11:30")
    assert source.windows("failed") == ("2024-02-03", "2024-02-09")


def test_a_run_that_was_stopped_is_not_asked_for_again(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    source.windows()
    assert source.windows("canceled") == ()
    assert list(source.state.failed) == ["2024-02-03"]


def test_what_somebody_ingested_after_its_failure_has_failed_no_more(source: Source) -> None:
    source.load("2024-02-03", "2024-03-10 11:00")
    source.windows()
    source.windows("canceled")
    earlier = {"2024-02-03": Ingested(NOW, NOW - HOUR)}
    assert forgive(source.state, earlier).failed == source.state.failed
    assert forgive(source.state, {"2024-02-03": Ingested(NOW, NOW + HOUR)}).failed == {}


MIDNIGHT = datetime(2024, 3, 10)


@pytest.mark.parametrize(
    ("reached", "at", "zoned", "asked"),
    [
        (MIDNIGHT, datetime(2024, 3, 10, 6, 1), True, False),
        (MIDNIGHT, datetime(2024, 3, 10, 5, 59), True, True),  # a row may not have been visible
        (MIDNIGHT, datetime(2024, 3, 10, 4), True, True),  # loaded later
        (MIDNIGHT, datetime(2024, 3, 10, 11), False, True),  # by a clock that may be behind
        (MIDNIGHT - DAY, datetime(2024, 3, 10, 7), True, True),  # its last day was not over
    ],
)
def test_the_first_look_leaves_out_what_was_surely_extracted(
    reached: datetime, at: datetime, zoned: bool, asked: bool
) -> None:
    source = Source(zoned=zoned)
    source.load("2024-03-09", "2024-03-10 05:00")
    request = source.tick(ingested={"2024-03-09": Ingested(reached, at)})
    assert (request is not None) == asked


def test_the_first_look_asks_for_windows_that_were_never_extracted() -> None:
    source = Source()
    source.load("2024-02-01", "2024-02-02 05:00")
    source.load("2024-02-02", "2024-02-03 05:00")
    request = source.tick(ingested={"2024-02-01": Ingested(NOW, NOW)})
    assert request is not None and request.windows == ("2024-02-02",)


def test_plans_that_were_extracted_ahead_are_asked_for_when_over() -> None:
    source = Source(ahead=3)
    source.load("2024-03-09", "2024-03-01 05:00")
    source.load("2024-03-12", "2024-03-01 05:00")
    ahead = Ingested(datetime(2024, 3, 10), NOW)
    behind = Ingested(datetime(2024, 3, 9), NOW)
    assert source.tick(ingested={"2024-03-09": ahead, "2024-03-12": ahead}) is None
    source.state = WatchState(digest="d")
    request = source.tick(ingested={"2024-03-09": behind, "2024-03-12": behind})
    assert request is not None and request.windows == ("2024-03-09", "2024-03-12")


def test_a_load_time_in_the_far_future_hides_nothing(source: Source) -> None:
    source.load("2024-02-03", "2999-01-01 00:00")
    assert source.windows() == ("2024-02-03",)
    source.load("2024-02-04", "2024-03-10 11:00")
    assert source.windows() == ("2024-02-04",)
    assert source.windows() == ()


def test_an_empty_source_asks_for_nothing() -> None:
    source = Source()
    assert source.windows() == () == source.windows()
    source.load("2024-02-03", "2024-02-04 05:00")
    assert source.windows() == ("2024-02-03",)


def test_a_state_of_another_source_or_version_is_none(source: Source) -> None:
    text = source.state.model_dump_json()
    assert read_state(text, "d") == source.state
    assert read_state(text, "e") is None
    assert read_state(None, "d") is None
    assert read_state("not JSON", "d") is None
    assert read_state('{"digest": "d", "since": "soon"}', "d") is None
