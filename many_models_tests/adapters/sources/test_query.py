from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from many_models.adapters.sources.query import Window, bind_parameters
from many_models.core.errors import SourceError

WHERE = "t >= :window_start AND t < :window_end"
BOUND = "t >= <window_start> AND t < <window_end>"


def bound(query: str) -> str:
    return bind_parameters(query, lambda name: f"<{name}>")


@pytest.mark.parametrize(
    "other",
    [
        "':window_start'",
        "'it''s :window_end'",
        '":window_start"',
        "`:window_start`",
        "E'\\' :window_start'",
        "$$ :window_start $$",
        "$a$ $$ :window_start $a$",
        "-- :window_start\n",
        "/* :window_start ' */",
        "/* a /* :window_end */ ' */",
        "x::timestamp",
        "x::window_start",
        "array[1:2]",
        ":window_start_of_year",
        ":other",
        "'Grüße 🥦 {} %s'",
    ],
)
def test_only_parameters_outside_strings_comments_and_casts_are_replaced(other: str) -> None:
    query = f"SELECT 1, {other} FROM x WHERE {WHERE}"
    assert bound(query) == query.replace(WHERE, BOUND)


def test_a_parameter_may_be_cast_and_used_twice() -> None:
    query = f"SELECT :window_start::date FROM x WHERE {WHERE}"
    assert bound(query) == f"SELECT <window_start>::date FROM x WHERE {BOUND}"


@pytest.mark.parametrize("end", [";", " ;\n", "; -- done", " -- done;"])
def test_a_closing_semicolon_is_dropped(end: str) -> None:
    assert not bound(f"SELECT 1 WHERE {WHERE}{end}").split("--")[0].strip().endswith(";")


def test_a_semicolon_within_the_query_stays_for_the_database_to_refuse() -> None:
    assert bound(f"SELECT 1; SELECT 2 WHERE {WHERE}").startswith("SELECT 1; ")


@pytest.mark.parametrize(
    ("query", "missing"),
    [
        ("SELECT 1", ":window_start and :window_end"),
        ("SELECT 1 WHERE t >= :window_start", ":window_end"),
        ("SELECT ':window_start' WHERE t < :window_end", ":window_start"),
        ("", ":window_start and :window_end"),
    ],
)
def test_a_query_without_the_window_is_refused(query: str, missing: str) -> None:
    with pytest.raises(SourceError, match=f"does not use {missing}: .* WHERE sold_at >="):
        bound(query)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(SourceError, match="must be after its start"):
        Window(datetime(2017, 1, 2), datetime(2017, 1, 2))


def test_a_window_with_a_zone_is_taken_to_utc() -> None:
    zone = timezone(timedelta(hours=2))
    window = Window(datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 1, 2, tzinfo=zone))
    assert window == Window(datetime(2017, 1, 1), datetime(2017, 1, 1, 22))


MOMENTS = [
    "2017-01-30 23:59:59",
    "2017-01-31",
    "2017-01-31 00:00",
    "2017-01-31 00:00:00",
    "2017-01-31 00:00:00.000000",
    "2017-01-31 11:59:59.999999",
    "2017-01-31 12:00",
    "2017-01-31 12:00:00",
    "2017-01-31 12:00:00.000",
    "2017-01-31 12:00:00.500",
    "2017-01-31 23:59:59",
    "2017-02-01",
    "2017-02-01 00:00:00",
]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2017, 1, 31), datetime(2017, 2, 1)),
        (datetime(2017, 1, 31), datetime(2017, 1, 31, 12)),
        (datetime(2017, 1, 31, 12), datetime(2017, 2, 1)),
        (datetime(2017, 1, 31, 12), datetime(2017, 1, 31, 12, 0, 0, 500_000)),
    ],
)
def test_text_times_of_every_length_fall_into_the_window_they_belong_to(
    start: datetime, end: datetime
) -> None:
    low, high = Window(start, end).texts()
    by_text = [moment for moment in MOMENTS if low <= moment < high]
    by_time = [moment for moment in MOMENTS if start <= datetime.fromisoformat(moment) < end]
    assert by_text == by_time != []
