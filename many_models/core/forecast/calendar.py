"""Features of the date alone: Fourier terms, calendar numbers, public holidays.

Each is computed once for every period between the first and the last, whatever the number of groups
that have it; a group takes its own.
"""

from __future__ import annotations

import numpy as np

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.panel import Panel
from many_models.core.forecast.public_holidays import public_holidays
from many_models.core.frequency import Frequency

CYCLES_NEEDED = 2  # a season is learnt in full only where it has been seen this often
CALENDAR: dict[str, tuple[str, ...]] = {
    "h": ("hour_of_day", "day_of_week"),
    "D": ("day_of_week", "day_of_month", "month_of_year"),
    "W": ("month_of_year",),
    "MS": ("month_of_year",),
    "QS": ("month_of_year",),
    "YS": (),
}
HOLIDAYS = ("holiday", "holiday_eve", "holiday_after")


def fourier_names(frequency: Frequency) -> tuple[str, ...]:
    return tuple(
        f"{cycle.name}_{wave}{harmonic}"
        for cycle in frequency.cycles
        for harmonic in range(1, cycle.harmonics + 1)
        for wave in ("sin", "cos")
    )


def fourier(panel: Panel, frequency: Frequency) -> list[Floats]:
    """Columns (N) of sines and cosines, zero in groups that have not seen enough of a season.

    The first harmonic takes one season of history, the others ``CYCLES_NEEDED``.
    """
    columns: list[Floats] = []
    at = _Places(panel)
    lengths = np.diff(panel.offsets)
    for cycle in frequency.cycles:
        for harmonic in range(1, cycle.harmonics + 1):
            seen = panel.history >= min(harmonic, CYCLES_NEEDED) * cycle.periods
            known_well = np.repeat(seen, lengths)
            angle = harmonic * (2 * np.pi * at.periods / cycle.periods)
            columns.extend(
                np.where(known_well, wave(angle)[at.rows], 0.0) for wave in (np.sin, np.cos)
            )
    return columns


def calendar_numbers(panel: Panel, frequency: Frequency) -> list[Floats]:
    """Columns (N) named in ``CALENDAR``: ordinal numbers, from 0."""
    at = _Places(panel)
    time = frequency.to_time(at.periods)
    day = time.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    numbers = {
        "hour_of_day": (time - day).astype("timedelta64[h]").astype(np.float64),
        "day_of_week": ((day.astype(np.int64) + 3) % 7).astype(np.float64),
        "day_of_month": (day - month).astype(np.float64),
        "month_of_year": (month.astype(np.int64) % 12).astype(np.float64),
    }
    return [numbers[name][at.rows] for name in CALENDAR[frequency.family]]


def holiday_flags(panel: Panel, frequency: Frequency, region: str) -> list[Floats]:
    """Columns (N) named in ``HOLIDAYS``: 1 on a public holiday, on the day before, the day after.

    ``region`` is a country's code such as US, or DE-BY.
    """
    at = _Places(panel)
    days = frequency.to_time(at.periods).astype("datetime64[D]")
    first, last = (int(str(day)[:4]) for day in (days[0] - 1, days[-1] + 1))
    public = public_holidays(region, first, last)
    shifts = (0, 1, -1)
    return [np.isin(days + shift, public).astype(np.float64)[at.rows] for shift in shifts]


class _Places:
    """All ``periods`` that a panel spans, and the one of each of its ``rows`` (N)."""

    def __init__(self, panel: Panel) -> None:
        first = int(panel.starts.min(initial=panel.origin))
        self.periods: Ints = np.arange(first, panel.origin + panel.ahead + 1)
        self.rows: Ints = panel.periods - first
