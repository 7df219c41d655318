from __future__ import annotations

import pytest
from pydantic import ValidationError

from many_models.core.errors import UseCaseError
from many_models.core.schedules import Schedules
from many_models.core.use_case_file import parse_use_case

FILE = """
name: sales
source: {url: "sqlite:///s.db", table: sales, start: 2024-01-01}
keys: [store]
partitioning: {by: store}
time: {column: date, frequency: D}
target: sold
horizon: 7
gaps: zero
"""


def test_both_are_there_unless_one_is_left_out() -> None:
    assert Schedules() == Schedules(score="0 6 * * *", train="0 3 * * 0", timezone="UTC")
    assert parse_use_case(FILE, name="f").schedules == Schedules()
    text = FILE + 'schedules: {score: "30 5 * * mon-fri", train: null, timezone: Europe/Berlin}'
    found = parse_use_case(text, name="f").schedules
    assert (found.score, found.train) == ("30 5 * * mon-fri", None)


@pytest.mark.parametrize(
    "cron",
    [
        *("* * * * *", "*/15 0-6/2 1,15 jan-MAR 0", "0 0 29 2 *", "0 0 31 * *", "5/20 * * * 7"),
        *("0 0 31 2 mon", "@daily", "0  6 * * *"),
    ],
)
def test_a_cron_expression_is_taken_as_it_is(cron: str) -> None:
    assert Schedules(score=cron).score == cron


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("every day", "five fields"),
        ("0 6 * *", "five fields"),
        ("0 0 6 * * *", "five fields"),
        ("60 6 * * *", "'60' for the minute; give 0 to 59"),
        ("0 24 * * *", "'24' for the hour"),
        ("0 6 0 * *", "'0' for the day of the month"),
        ("0 6 * 13 *", "'13' for the month; give 1 to 12, or jan to dec"),
        ("0 6 * * 8", "'8' for the day of the week"),
        ("0 6 * * someday", "'someday' for the day of the week"),
        ("0 6-3 * * *", "'6-3' for the hour"),
        ("*/0 6 * * *", r"'\*/0' for the minute"),
        ("0 6,, * * *", "'' for the hour"),
        ("-1 6 * * *", "'-1' for the minute"),
        ("0 0 31 2,4 *", "never comes: no month among 2,4 has a day 31"),
        ("", "five fields"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_the_field(cron: str, message: str) -> None:
    text = FILE + f'schedules: {{train: "{cron}"}}'
    with pytest.raises(UseCaseError, match=rf"(?s)schedules\.train: .*{message}.*\(got '"):
        parse_use_case(text, name="f.yaml")


@pytest.mark.parametrize("zone", ["Berlin", "", "../UTC", "Europe", "+02:00"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Schedules(timezone=zone)


def test_an_unknown_schedule_is_refused_with_those_there_are() -> None:
    text = FILE + 'schedules: {scores: "0 6 * * *"}'
    with pytest.raises(UseCaseError, match=r"schedules\.scores: .*did you mean 'score'"):
        parse_use_case(text, name="f.yaml")
