"""A simulated retailer: daily sales of every store and item, of any size, with the truth known.

Here belongs the arithmetic that makes the rows. Writing them into a database does not: see
``adapters.sources.simulated``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats, Ints
from many_models.core.simulation.chance import (
    hash_with,
    names,
    normal,
    realise,
    seed_key,
    stream,
    uniform,
)
from many_models.core.simulation.days import EPOCH, DailySimulation, dates, weekdays

SIMULATED_SCHEMA = pa.schema(
    [
        pa.field("store_id", pa.string()),
        pa.field("item_id", pa.string()),
        pa.field("date", pa.date32()),
        pa.field("price", pa.float64()),
        pa.field("promotion", pa.int64()),
        pa.field("sales", pa.float64()),
        pa.field("expected_sales", pa.float64()),
    ]
)

_PROMOTION_DISCOUNT = 0.2
_DAYS_BETWEEN_PRICES = 91


@dataclass(frozen=True)
class SimulatedSales(DailySimulation):
    """The sales of ``stores`` x ``items`` groups over ``days`` days from ``start``.

    Expected sales are the product of a store's and an item's level, a trend, a weekly season (by
    store), a yearly season (by item), an elasticity to price and an uplift in promotion weeks.
    Realised sales are whole numbers whose mean is exactly the expected sales and whose variance is
    about ``expected + (dispersion * expected)**2``, that of a negative binomial.

    ``mean_sales`` is the typical expected sales of a group a day; ``promotion_share`` is the share
    of weeks in which a group is promoted, 0 to 1.
    """

    schema = SIMULATED_SCHEMA

    stores: int
    items: int
    days: int
    seed: int = 0
    start: date = date(2023, 1, 1)
    mean_sales: float = 8.0
    promotion_share: float = 0.1
    dispersion: float = 0.2

    def __post_init__(self) -> None:
        self._check_sizes("stores", "items")
        if self.mean_sales <= 0 or self.dispersion < 0 or not 0 <= self.promotion_share <= 1:
            raise ValueError(
                "mean_sales must be above 0, dispersion 0 or more and promotion_share from 0 to 1, "
                f"not {self.mean_sales}, {self.dispersion} and {self.promotion_share}"
            )

    @property
    def groups(self) -> int:
        return self.stores * self.items

    def cells(self, groups: Ints, days: Ints) -> list[pa.Array[Any]]:
        stores, items = np.divmod(groups, self.items)
        price, promotion, sales, expected = self._cells(stores, items, days)
        return [
            names("s", stores, days.size),
            names("i", items, days.size),
            dates(days, groups.size),
            pa.array(price),
            pa.array(promotion),
            pa.array(sales),
            pa.array(expected),
        ]

    def _cells(self, stores: Ints, items: Ints, days: Ints) -> tuple[Floats, Ints, Floats, Floats]:
        """Price, promotion, sales and expected sales, each flat, ordered by group and day."""
        store = hash_with(seed_key(self.seed), stores + 1)[:, None]
        item = hash_with(seed_key(self.seed), -items - 1)[:, None]
        group = hash_with(store, items[:, None])

        weeks = uniform(hash_with(stream(group, 1), days // 7))
        promotion = (weeks < self.promotion_share).astype(np.float64)
        regular = 2 + 8 * uniform(stream(item, 2)) ** 2
        change = 0.9 + 0.2 * uniform(hash_with(stream(item, 3), days // _DAYS_BETWEEN_PRICES))
        price: Floats = np.round(regular * change * (1 - _PROMOTION_DISCOUNT * promotion), 2)

        level = 0.5 * normal(stream(store, 4)) + 0.6 * normal(stream(item, 5))
        level = level + 0.2 * normal(stream(group, 6)) + np.log(self.mean_sales) - 0.325
        trend = 0.1 * normal(stream(group, 7)) * (days - (self.start - EPOCH).days) / 365.25
        week = 0.25 * normal(hash_with(stream(store, 8), np.arange(7)))[:, weekdays(days)]
        angle = 2 * np.pi * (days / 365.25 - uniform(stream(item, 9)))
        year = 0.3 * uniform(stream(item, 10)) * np.cos(angle)
        elasticity = -0.5 - 1.5 * uniform(stream(item, 11))
        uplift = 0.2 + 0.4 * uniform(stream(item, 12))

        effect = elasticity * np.log(price / regular) + uplift * promotion
        expected = np.exp(level + trend + week + year + effect)
        sales = realise(
            expected,
            self.dispersion,
            normal(hash_with(stream(group, 13), days)),
            uniform(hash_with(stream(group, 14), days)),
        )
        return price.ravel(), promotion.astype(np.int64).ravel(), sales.ravel(), expected.ravel()
