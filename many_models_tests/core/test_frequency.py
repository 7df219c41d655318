from __future__ import annotations

import numpy as np
import pytest

from many_models.core.frequency import CYCLES, FREQUENCY_CODES, SEASONS, WEEKDAYS, Frequency


@pytest.mark.parametrize("code", FREQUENCY_CODES)
def test_periods_become_times_and_periods_again_on_both_sides_of_1970(code: str) -> None:
    frequency, periods = Frequency(code), np.arange(-1500, 1500)
    times = frequency.to_time(periods)
    assert times.dtype == "datetime64[us]"
    assert (np.diff(times) > np.timedelta64(0)).all()
    np.testing.assert_array_equal(frequency.to_period(times), periods)


@pytest.mark.parametrize("code", FREQUENCY_CODES)
def test_a_period_lasts_until_the_next_one_begins(code: str) -> None:
    frequency, periods = Frequency(code), np.arange(-1500, 1500)
    last_moments = frequency.to_time(periods + 1) - np.timedelta64(1, "us")
    np.testing.assert_array_equal(frequency.to_period(last_moments), periods)


@pytest.mark.parametrize(
    ("code", "moment", "period", "begins"),
    [
        ("h", "1969-12-31T23:59:59", -1, "1969-12-31T23:00"),
        ("D", "1969-12-31T12:00", -1, "1969-12-31"),
        ("MS", "1969-12-31T12:00", -1, "1969-12-01"),
        ("MS", "2024-02-29", 649, "2024-02-01"),
        ("W-MON", "1970-01-04T23:59", -1, "1969-12-29"),
        ("W-MON", "1970-01-05", 0, "1970-01-05"),
        ("W-SUN", "2024-03-09", 2825, "2024-03-03"),
    ],
)
def test_a_moment_falls_into_the_period_that_began_last(
    code: str, moment: str, period: int, begins: str
) -> None:
    frequency = Frequency(code)
    found = frequency.to_period(np.array([moment], dtype="datetime64[us]"))
    assert found.tolist() == [period]
    assert frequency.to_time(found)[0] == np.datetime64(begins)


@pytest.mark.parametrize("weekday", WEEKDAYS)
def test_weeks_begin_on_the_weekday_that_their_code_names(weekday: str) -> None:
    times = Frequency(f"W-{weekday}").to_time(np.arange(-60, 60))
    assert {time.item().strftime("%a").upper() for time in times} == {weekday}


@pytest.mark.parametrize("code", FREQUENCY_CODES)
def test_every_frequency_has_a_season_and_cycles(code: str) -> None:
    frequency = Frequency(code)
    assert frequency.season == SEASONS[frequency.family]
    assert frequency.cycles == CYCLES[frequency.family]
