"""Time on a regular grid: hours, days, weeks, months, quarters or years as whole numbers.

Everything that counts time (lags, horizons, seasons, gaps) counts periods of the use case's
frequency. This module turns timestamps into period numbers and back, vectorised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

FrequencyCode = Literal[
    "h", "D", "W-MON", "W-TUE", "W-WED", "W-THU", "W-FRI", "W-SAT", "W-SUN", "MS", "QS", "YS"
]
FREQUENCY_CODES: tuple[str, ...] = get_args(FrequencyCode)
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONDAY_EPOCH = 4  # 1970-01-05 was a Monday
MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Cycle:
    """A season that repeats: its length in periods, and how many Fourier harmonics describe it."""

    name: str
    periods: float
    harmonics: int


CYCLES: dict[str, tuple[Cycle, ...]] = {
    "h": (Cycle("day", 24, 4), Cycle("week", 168, 3), Cycle("year", 8766, 2)),
    "D": (Cycle("week", 7, 3), Cycle("year", 365.25, 3)),
    "W": (Cycle("year", 52.1775, 3),),
    "MS": (Cycle("year", 12, 3),),
    "QS": (Cycle("year", 4, 1),),
    "YS": (),
}
SEASONS = {"h": 24, "D": 7, "W": 52, "MS": 12, "QS": 4, "YS": 1}
MONTHS = {"MS": 1, "QS": 3, "YS": 12}


@dataclass(frozen=True)
class Frequency:
    """One of pandas' frequency codes ``h``, ``D``, ``W-MON`` ... ``W-SUN``, ``MS``, ``QS``, ``YS``.

    Timestamps are ``datetime64[us]``; a period number counts whole periods since 1970.
    """

    code: str

    @property
    def family(self) -> str:
        return self.code.partition("-")[0]

    @property
    def season(self) -> int:
        """Periods in the season that a seasonal naive forecast repeats."""
        return SEASONS[self.family]

    @property
    def cycles(self) -> tuple[Cycle, ...]:
        return CYCLES[self.family]

    @property
    def _weekday_shift(self) -> int:
        return MONDAY_EPOCH + WEEKDAYS.index(self.code[2:])

    def to_period(self, times: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Number of the period that each timestamp falls in (rounds down)."""
        if self.family in MONTHS:
            return times.astype("datetime64[M]").astype(np.int64) // MONTHS[self.family]
        if self.family == "h":
            return times.astype("datetime64[us]").astype(np.int64) // MICROSECONDS_AN_HOUR
        days = times.astype("datetime64[D]").astype(np.int64)
        return days if self.family == "D" else (days - self._weekday_shift) // 7

    def to_time(self, periods: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """First instant of each period, ``datetime64[us]``."""
        if self.family in MONTHS:
            months = periods * MONTHS[self.family]
            return months.astype("datetime64[M]").astype("datetime64[us]")
        if self.family == "h":
            return (periods * MICROSECONDS_AN_HOUR).astype("datetime64[us]")
        days = periods if self.family == "D" else periods * 7 + self._weekday_shift
        return days.astype("datetime64[D]").astype("datetime64[us]")
