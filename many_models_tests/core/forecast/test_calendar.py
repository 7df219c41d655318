from __future__ import annotations

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.calendar import (
    CALENDAR,
    HOLIDAYS,
    calendar_numbers,
    fourier,
    fourier_names,
    holiday_flags,
)
from many_models.core.forecast.panel import Panel
from many_models.core.frequency import Frequency

DAILY, HOURLY = Frequency("D"), Frequency("h")


def _panel(first: int, *counts: int, frequency: Frequency = DAILY) -> Panel:
    """Groups of so many periods, of which the first and longest begins at period ``first``."""
    origin = first + counts[0] - 1
    nothing = np.empty((sum(counts), 0))
    return Panel(
        origin=origin,
        ahead=0,
        starts=np.array([origin + 1 - count for count in counts]),
        history=np.array(counts),
        target=np.zeros(sum(counts)),
        known=nothing,
        past=nothing,
    )


def _day(text: str, frequency: Frequency = DAILY) -> int:
    return int(frequency.to_period(np.array([text], dtype="datetime64[us]"))[0])


def _wave(days: int, name: str) -> Floats:
    waves = dict(zip(fourier_names(DAILY), fourier(_panel(0, days), DAILY), strict=True))
    return waves[name]


def test_calendar_numbers_are_those_of_the_calendar() -> None:
    found = np.column_stack(calendar_numbers(_panel(_day("2024-02-29"), 5), DAILY))
    assert CALENDAR["D"] == ("day_of_week", "day_of_month", "month_of_year")
    assert found.tolist() == [[3, 28, 1], [4, 0, 2], [5, 1, 2], [6, 2, 2], [0, 3, 2]]


def test_hours_and_weekdays_are_right_before_1970_too() -> None:
    hours, days = calendar_numbers(_panel(-1, 2, frequency=HOURLY), HOURLY)
    assert hours.tolist() == [23, 0]
    assert days.tolist() == [2, 3]  # Wednesday, Thursday


def test_every_group_has_the_numbers_of_its_own_dates() -> None:
    first, second, third = calendar_numbers(_panel(_day("2024-02-29"), 5, 2), DAILY)
    assert first.tolist() == [3, 4, 5, 6, 0, 6, 0]
    assert second.tolist() == [28, 0, 1, 2, 3, 2, 3]
    assert third.tolist() == [1, 2, 2, 2, 2, 2, 2]


def test_a_season_is_described_by_one_wave_once_it_was_seen_and_in_full_when_seen_twice() -> None:
    assert not _wave(365, "year_sin1").any()
    assert _wave(366, "year_sin1").any()
    assert not _wave(730, "year_cos2").any()
    assert _wave(731, "year_cos2").any()
    assert _wave(14, "week_sin3").any()


def test_the_waves_of_a_year_go_on_over_a_leap_day() -> None:
    steps = np.diff(_wave(4 * 366, "year_sin1"))
    assert np.abs(np.diff(steps)).max() < 4e-4


def test_holidays_have_an_eve_and_a_day_after() -> None:
    panel = _panel(_day("2024-12-22"), 6, 2)
    found = dict(zip(HOLIDAYS, holiday_flags(panel, DAILY, "US"), strict=True))
    assert found["holiday"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert found["holiday_eve"].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert found["holiday_after"].tolist() == [0, 0, 0, 0, 1, 0, 1, 0]


def test_the_eve_of_the_new_year_knows_of_the_year_after_its_own() -> None:
    eve, after = (
        dict(zip(HOLIDAYS, holiday_flags(_panel(_day(day), 1), DAILY, "US"), strict=True))
        for day in ("2024-12-31", "2025-01-02")
    )
    assert (eve["holiday"].item(), eve["holiday_eve"].item()) == (0, 1)
    assert (after["holiday"].item(), after["holiday_after"].item()) == (0, 1)


def test_all_hours_of_a_holiday_are_holiday() -> None:
    panel = _panel(_day("2024-12-24T22:00", HOURLY), 30, frequency=HOURLY)
    holiday, eve, _ = holiday_flags(panel, HOURLY, "US")
    assert holiday.tolist() == [0, 0] + [1] * 24 + [0] * 4
    assert eve.tolist() == [1, 1] + [0] * 28


@pytest.mark.parametrize("code", ["h", "D", "W-SUN", "MS", "QS", "YS"])
def test_every_wave_and_number_has_a_name(code: str) -> None:
    frequency = Frequency(code)
    panel = _panel(0, 30, frequency=frequency)
    assert len(fourier(panel, frequency)) == len(fourier_names(frequency))
    assert len(calendar_numbers(panel, frequency)) == len(CALENDAR[frequency.family])
