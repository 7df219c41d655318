"""Simulated warehouses: daily demand for every product in each, and the stock a planner keeps.

Demand is what makes safety stock hard: fast and slow movers, quiet weekends, and spells
of more or less of it that last for weeks, so that the errors of one day's forecast and the next
day's are of a kind. The planner orders up to a fixed level every day, by rule of thumb.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats, Ints
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

LEAD_TIMES = (3, 5, 7, 10, 14)  # days, by the product's supplier
SERVICE_LEVELS = (0.98, 0.95, 0.9)  # of classes A, B and C
PLANNED_COVER = 1.5  # times the usual demand of lead time and review: the planner's rule
SPELL_DAYS, SPELL_FADE = 28, 0.9
_WEEKEND = np.array([0.2, 0.15, 0.1, 0.1, 0.2, -1.2, -2.0])


@dataclass(frozen=True)
class SimulatedWarehouses(DailySimulation):
    """Demand of ``warehouses`` x ``products`` groups over ``days`` days from ``start``.

    Expected demand is the product of levels, a trend, a weekly and a yearly season, and a spell:
    ``exp(spell * x)`` with a standard normal ``x`` that changes slowly. Realised demand is whole
    numbers about it, as in ``SimulatedSales``. Stock on hand and on order are at the day's end; a
    negative stock on hand is what customers wait for.
    """

    schema = pa.schema(
        [
            ("warehouse", pa.string()),
            ("product", pa.string()),
            ("date", pa.date32()),
            ("demand", pa.float64()),
            ("on_hand", pa.float64()),
            ("on_order", pa.float64()),
            ("lead_time_days", pa.int64()),
            ("target_service", pa.float64()),
            ("class", pa.string()),
            ("expected_demand", pa.float64()),
        ]
    )

    warehouses: int
    products: int
    days: int
    seed: int = 0
    start: date = date(2024, 1, 1)
    mean_demand: float = 4.0
    spell: float = 0.2
    dispersion: float = 0.3

    def __post_init__(self) -> None:
        self._check_sizes("warehouses", "products")
        if self.mean_demand <= 0 or self.spell < 0 or self.dispersion < 0:
            raise ValueError(
                "mean_demand must be above 0, spell and dispersion 0 or more, not "
                f"{self.mean_demand}, {self.spell} and {self.dispersion}"
            )

    @property
    def groups(self) -> int:
        return self.warehouses * self.products

    def cells(self, groups: Ints, days: Ints) -> list[pa.Array[Any]]:
        longest = max(LEAD_TIMES)
        longer = np.arange(days[0] - longest + 1, days[-1] + 1)
        demand, expected = self._demand(groups, longer)
        level, lead, kind = self._terms(groups)
        on_order = _sum_back(demand, lead, len(days))
        usual = np.exp(level) * (lead + 1)
        on_hand = np.ceil(PLANNED_COVER * usual)[:, None] - on_order
        flat = [values[:, longest - 1 :].ravel() for values in (demand, expected)]
        places, products = np.divmod(groups, self.products)
        count = days.size
        return [
            names("w", places, count),
            names("p", products, count),
            dates(days, groups.size),
            pa.array(flat[0]),
            pa.array(on_hand.ravel()),
            pa.array(on_order.ravel()),
            pa.array(np.repeat(lead, count)),
            pa.array(np.repeat(np.array(SERVICE_LEVELS)[kind], count)),
            pa.array(["A", "B", "C"]).take(pa.array(np.repeat(kind, count))),
            pa.array(flat[1]),
        ]

    def futures(self, after: date, periods: int, draws: int) -> Iterator[Floats]:
        """What else might have come after a day: demand (G, periods), as often as ``draws``.

        Given all that was until then; the spell that the day lies in goes on.
        """
        last = (after - EPOCH).days
        days = np.arange(last + 1, last + 1 + periods)
        for draw in range(1, draws + 1):
            yield self._demand(np.arange(self.groups), days, draw, last)[0]

    def _keys(self, groups: Ints) -> tuple[Hashes, Hashes, Hashes]:
        places, products = np.divmod(groups, self.products)
        place = hash_with(seed_key(self.seed), places + 1)[:, None]
        product = hash_with(seed_key(self.seed), -products - 1)[:, None]
        return place, product, hash_with(place, products[:, None])

    def _terms(self, groups: Ints) -> tuple[Floats, Ints, Ints]:
        """Log of the usual demand (G), lead time in days (G), and class (G) of the product."""
        place, product, group = self._keys(groups)
        popularity = normal(stream(product, 5))
        level = 0.3 * normal(stream(place, 4)) + 1.1 * popularity + 0.3 * normal(stream(group, 6))
        level = level[:, 0] + np.log(self.mean_demand) - 0.6
        lead = np.array(LEAD_TIMES)[(uniform(stream(product, 7)) * len(LEAD_TIMES)).astype(int)]
        kind = (popularity < 0.8).astype(np.int64) + (popularity < -0.2)
        return level, lead[:, 0], kind[:, 0]

    def _demand(
        self, groups: Ints, days: Ints, draw: int = 0, after: int | None = None
    ) -> tuple[Floats, Floats]:
        """Demand and expected demand (G, D); what comes ``after`` a day is of the ``draw``."""
        place, product, group = self._keys(groups)
        level, _, _ = self._terms(groups)
        trend = 0.15 * normal(stream(group, 8)) * (days - (self.start - EPOCH).days) / 365.25
        week = 0.1 * normal(hash_with(stream(place, 9), np.arange(7))) + _WEEKEND
        angle = 2 * np.pi * (days / 365.25 - uniform(stream(product, 10)))
        year = 0.25 * uniform(stream(product, 11)) * np.cos(angle)
        redrawn = hash_with(stream(group, 14), np.array([draw]))
        spell = spells(
            stream(group, 12), days, SPELL_DAYS, SPELL_FADE, redrawn=redrawn, after=after
        )
        known = level[:, None] + trend + week[:, weekdays(days)] + year
        expected = np.exp(known + self.spell * spell - self.spell**2 / 2)
        of_draw = stream(group, 13) if after is None else stream(redrawn, 13)
        demand = realise(
            expected,
            self.dispersion,
            normal(hash_with(of_draw, days)),
            uniform(hash_with(stream(of_draw, 1), days)),
        )
        return demand, expected


def _sum_back(values: Floats, spans: Ints, count: int) -> Floats:
    """Sums (G, count) over so many days back, each of the last ``count`` days included."""
    sums = np.cumsum(np.pad(values, [(0, 0), (1, 0)]), axis=1)
    ends = np.arange(values.shape[1] - count, values.shape[1]) + 1
    starts = ends - spans[:, None]
    found: Floats = sums[:, ends] - np.take_along_axis(sums, starts, axis=1)
    return found
