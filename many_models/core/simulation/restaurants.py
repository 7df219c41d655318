"""Simulated franchises: the covers that every restaurant serves a day, and what is known ahead.

Weather (as its forecast), promotions and closed days are known for the days to come, too: these are
rows without covers. Each restaurant is of its own kind: one lives by office lunches, another by
weekends, and rain empties one terrace and fills the next house.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.forecast.public_holidays import public_holidays
from many_models.core.simulation.chance import (
    Hashes,
    hash_with,
    names,
    normal,
    realise,
    seed_key,
    spells,
    stream,
    uniform,
)
from many_models.core.simulation.days import EPOCH, DailySimulation, dates, weekdays

_OFFICE = np.array([0.15, 0.2, 0.2, 0.2, 0.1, -0.5, -0.8])
_LEISURE = np.array([-0.4, -0.3, -0.2, 0.0, 0.35, 0.5, 0.3])
WEATHER_DAYS, WEATHER_FADE = 10, 0.7


@dataclass(frozen=True)
class SimulatedRestaurants(DailySimulation):
    """Covers of ``restaurants``, spread over ``regions``, of ``days`` days from ``start``.

    The last ``planned`` days are yet to come: their covers are null. ``newcomers`` is the share of
    restaurants that open only in the last tenth of the days; before, they have no covers either.
    """

    schema = pa.schema(
        [
            ("region", pa.string()),
            ("restaurant", pa.string()),
            ("date", pa.date32()),
            ("covers", pa.float64()),
            ("promotion", pa.int64()),
            ("closed", pa.int64()),
            ("temperature", pa.float64()),
            ("rain", pa.float64()),
            ("expected_covers", pa.float64()),
        ]
    )

    restaurants: int
    regions: int
    days: int
    planned: int = 0
    seed: int = 0
    start: date = date(2024, 1, 1)
    mean_covers: float = 120.0
    newcomers: float = 0.05

    def __post_init__(self) -> None:
        self._check_sizes("restaurants", "regions")
        if not 0 <= self.planned < self.days or not 0 <= self.newcomers <= 1:
            raise ValueError(
                f"planned must be from 0 to {self.days - 1} and newcomers from 0 to 1, "
                f"not {self.planned} and {self.newcomers}"
            )

    @property
    def groups(self) -> int:
        return self.restaurants

    def cells(self, groups: Ints, days: Ints) -> list[pa.Array[Any]]:
        regions = groups % self.regions
        region = hash_with(seed_key(self.seed), -regions - 1)[:, None]
        place = hash_with(seed_key(self.seed), groups + 1)[:, None]
        promotion = uniform(hash_with(stream(place, 1), days // 7)) < 0.12
        closed = self._closed(place, days)
        temperature, rain = _weather(region, days)
        expected = self._expected(place, days, promotion, temperature, rain) * ~closed
        covers = realise(
            expected,
            0.08,
            normal(hash_with(stream(place, 13), days)),
            uniform(hash_with(stream(place, 14), days)),
        )
        unknown = self._unknown(place, days)
        return [
            names("r", regions, days.size),
            names("f", groups, days.size),
            dates(days, groups.size),
            pa.array(covers.ravel(), mask=unknown.ravel()),
            pa.array(promotion.astype(np.int64).ravel()),
            pa.array(closed.astype(np.int64).ravel()),
            pa.array(np.round(temperature, 1).ravel()),
            pa.array(np.round(rain, 1).ravel()),
            pa.array(expected.ravel()),
        ]

    def _expected(
        self, place: Hashes, days: Ints, promotion: Flags, temperature: Floats, rain: Floats
    ) -> Floats:
        office = uniform(stream(place, 2))
        week = office * _OFFICE + (1 - office) * _LEISURE
        week = week + 0.06 * normal(hash_with(stream(place, 3), np.arange(7)))
        terrace = uniform(stream(place, 4))
        warm = 0.02 * terrace * np.clip(temperature - 12, 0, 15)
        wet = (0.03 - 0.09 * terrace) * np.minimum(rain, 10) / 2
        uplift = 0.1 + 0.25 * uniform(stream(place, 5))
        feast = 0.25 * normal(stream(place, 6)) - 0.5 * office
        level = 0.45 * normal(stream(place, 7)) + np.log(self.mean_covers)
        since = (days - (self.start - EPOCH).days) / 365.25
        trend = 0.08 * normal(stream(place, 8)) * since
        mood = 0.05 * spells(stream(place, 9), days, 21, 0.9)
        found: Floats = np.exp(
            level + trend + week[:, weekdays(days)] + warm + wet + uplift * promotion + mood
            + feast * _holidays(days)
        )  # fmt: skip
        return found

    def _closed(self, place: Hashes, days: Ints) -> Flags:
        """A day of rest each week for a quarter of them, a fortnight a year for some, Christmas."""
        rest = (uniform(stream(place, 10)) < 0.25) & (weekdays(days) == 0)
        fortnight = uniform(hash_with(stream(place, 11), days // 14)) < 0.01
        closed: Flags = rest | fortnight | _christmas(days)
        return closed

    def _unknown(self, place: Hashes, days: Ints) -> Flags:
        """Days that are yet to come, and those before the opening of who came late."""
        late = uniform(stream(place, 12)) < self.newcomers
        opening = (self.start - EPOCH).days + int(0.9 * self.days)
        to_come = days >= (self.end - EPOCH).days - self.planned
        unknown: Flags = to_come | (late & (days < opening))
        return unknown


def _weather(region: Hashes, days: Ints) -> tuple[Floats, Floats]:
    """Temperature in degrees Celsius and rain in millimetres, (N, D)."""
    warmth = 8 * np.cos(2 * np.pi * (days - 200) / 365.25)
    climate = 15 + 3 * normal(stream(region, 1))
    temperature = climate + warmth + 3 * spells(stream(region, 2), days, WEATHER_DAYS, WEATHER_FADE)
    rain = 4 * spells(stream(region, 3), days, WEATHER_DAYS, WEATHER_FADE) - 2
    return temperature, np.maximum(rain, 0)


def _holidays(days: Ints) -> Flags:
    """Public holidays of the United States (D)."""
    as_dates = days.astype("datetime64[D]")
    first, last = as_dates[[0, -1]].astype("datetime64[Y]").astype(np.int64) + 1970
    return np.isin(as_dates, public_holidays("US", int(first), int(last)))


def _christmas(days: Ints) -> Flags:
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    day = days - months.astype("datetime64[D]").astype(np.int64)
    december: Flags = (months.astype(np.int64) % 12 == 11) & (day == 24)
    return december
