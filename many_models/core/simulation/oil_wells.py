"""Simulated oil wells: what the sensors of every pump say each day, and when the pump fails.

Pumps fail every few months. In some wells wear shows days before, in each by a sign of its own: by
vibration, by the motor's current or by its temperature, as its sand and wax have it. In
the others they fail out of the blue, so that nobody could foresee it: ``warns`` is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.simulation.chance import (
    Hashes,
    hash_with,
    names,
    normal,
    seed_key,
    spells,
    stream,
    uniform,
)
from many_models.core.simulation.days import EPOCH, DailySimulation, dates

SENSORS = ("vibration", "current", "temperature")
REPAIR_DAYS = 3
SHORTEST_LIFE = 20


@dataclass(frozen=True)
class SimulatedWells(DailySimulation):
    """Daily readings of ``wells``, spread over ``fields``, for ``days`` days from ``start``.

    ``fails`` is whether the pump stops within the ``ahead`` days after: ``soon`` or ``no``; null on
    the last ``ahead`` days, of which nobody knows yet, and while it is being repaired. ``warning``
    is the share of wells in which failures announce themselves.
    """

    schema = pa.schema(
        [
            ("field", pa.string()),
            ("well", pa.string()),
            ("date", pa.date32()),
            *((name, pa.float64()) for name in SENSORS),
            ("intake_pressure", pa.float64()),
            ("days_since_repair", pa.int64()),
            ("running", pa.int64()),
            ("fails", pa.string()),
            ("warns", pa.int64()),
        ]
    )

    wells: int
    fields: int
    days: int
    ahead: int = 7
    seed: int = 0
    start: date = date(2022, 1, 1)
    mean_life: float = 70.0
    warning: float = 0.65

    def __post_init__(self) -> None:
        self._check_sizes("wells", "fields", "ahead")
        if self.mean_life <= SHORTEST_LIFE or not 0 <= self.warning <= 1:
            raise ValueError(
                f"mean_life must be above {SHORTEST_LIFE} and warning from 0 to 1, "
                f"not {self.mean_life} and {self.warning}"
            )

    @property
    def groups(self) -> int:
        return self.wells

    def cells(self, groups: Ints, days: Ints) -> list[pa.Array[Any]]:
        fields = groups % self.fields
        well = hash_with(seed_key(self.seed), groups + 1)[:, None]
        since, left = self._lives(well, days)
        warns = uniform(stream(well, 2)) < self.warning
        running = left > 0
        sensors = self._sense(well, days, since, left, warns)
        pressure = 60 + 15 * normal(stream(well, 7)) + 4 * spells(stream(well, 8), days, 30, 0.95)
        known = running & (days < (self.end - EPOCH).days - self.ahead)
        fails = np.where(left <= self.ahead, "soon", "no").ravel()
        everywhere = np.broadcast_to(warns, running.shape)
        return [
            names("a", fields, days.size),
            names("w", groups, days.size),
            dates(days, groups.size),
            *(pa.array(np.round(sensor, 3).ravel()) for sensor in sensors),
            pa.array(np.round(pressure, 2).ravel()),
            pa.array(np.maximum(since, 0).ravel()),
            pa.array(running.astype(np.int64).ravel()),
            pa.array(fails, pa.string(), mask=~known.ravel()),
            pa.array(everywhere.astype(np.int64).ravel()),
        ]

    def _lives(self, well: Hashes, days: Ints) -> tuple[Ints, Ints]:
        """Days since the last repair and until the next failure (G, D); that is zero or less while
        the pump is being repaired.
        """
        first, last = (self.start - EPOCH).days, int(days[-1])
        count = (last - first) // (SHORTEST_LIFE + REPAIR_DAYS) + 2
        chance = uniform(hash_with(stream(well, 1), np.arange(count)))
        # Weibull of shape 2, the hazard of wear: its mean is 0.886 times the scale.
        worn = (self.mean_life - SHORTEST_LIFE) / 0.886 * np.sqrt(-np.log(chance))
        life = SHORTEST_LIFE + np.floor(worn).astype(np.int64)
        begins = first + np.cumsum(life + REPAIR_DAYS, axis=1) - life - REPAIR_DAYS
        at = (begins[:, :, None] <= days).sum(axis=1) - 1
        begun = np.take_along_axis(begins, at, axis=1)
        return days - begun, begun + np.take_along_axis(life, at, axis=1) - days

    def _sense(
        self, well: Hashes, days: Ints, since: Ints, left: Ints, warns: Flags
    ) -> list[Floats]:
        """Each of the ``SENSORS`` (G, D): its usual value, noise and spells, age, and wear."""
        notice = 6 + np.floor(12 * uniform(stream(well, 3)))
        wear = np.clip(1 - (left - 1) / notice, 0, 1) * warns
        told_by = np.floor(uniform(stream(well, 4)) * len(SENSORS))
        strength = 2.5 + 3 * uniform(stream(well, 5))
        found = []
        for number in range(len(SENSORS)):
            key = stream(well, 10 + number)
            noise = 0.8 * normal(hash_with(key, days)) + 0.6 * spells(stream(key, 1), days, 20, 0.9)
            signal = strength * np.where(told_by == number, 1.0, 0.15) * wear
            aged = 0.3 * normal(stream(key, 3)) * np.maximum(since, 0) / self.mean_life
            usual, unit = 10 + 3 * normal(stream(key, 2)), 0.5 + uniform(stream(key, 4))
            found.append(usual + unit * (noise + signal + aged))
        return found
