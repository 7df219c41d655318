"""A simulated retailer: daily sales of every store and item, of any size, with the truth known.

Here belongs the arithmetic that makes the rows. Writing them into a database does not: see
``adapters.simulated_source``.

Every number is a hash of the seed, the store, the item and the day, so a cell has one value however
the rows are cut into batches, and more stores, items or days add rows without changing a single old
one. The generator is splitmix64 (Steele, Lea and Flood, 2014) used as a counter-based one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

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

_STEP = 0x9E3779B97F4A7C15
_EPOCH = date(1970, 1, 1)
_PROMOTION_DISCOUNT = 0.2
_DAYS_BETWEEN_PRICES = 91
_INNER_ROWS = 32_768


@dataclass(frozen=True)
class SimulatedSales:
    """The sales of ``stores`` x ``items`` groups over ``days`` days from ``start``.

    Expected sales are the product of a store's and an item's level, a trend, a weekly season (by
    store), a yearly season (by item), an elasticity to price and an uplift in promotion weeks.
    Realised sales are whole numbers whose mean is exactly the expected sales and whose variance is
    about ``expected + (dispersion * expected)**2``, that of a negative binomial.

    ``mean_sales`` is the typical expected sales of a group a day; ``promotion_share`` is the share
    of weeks in which a group is promoted, 0 to 1.
    """

    stores: int
    items: int
    days: int
    seed: int = 0
    start: date = date(2023, 1, 1)
    mean_sales: float = 8.0
    promotion_share: float = 0.1
    dispersion: float = 0.2

    def __post_init__(self) -> None:
        for name in ("stores", "items", "days"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.mean_sales <= 0 or self.dispersion < 0 or not 0 <= self.promotion_share <= 1:
            raise ValueError(
                "mean_sales must be above 0, dispersion 0 or more and promotion_share from 0 to 1, "
                f"not {self.mean_sales}, {self.dispersion} and {self.promotion_share}"
            )

    @property
    def groups(self) -> int:
        return self.stores * self.items

    @property
    def rows(self) -> int:
        return self.groups * self.days

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.start + timedelta(days=self.days)

    def table(self, *, start: date | None = None, end: date | None = None) -> pa.Table:
        """All rows from ``start`` to before ``end``, ordered by store, item and date."""
        return self.reader(start=start, end=end).read_all()

    def reader(
        self, *, start: date | None = None, end: date | None = None, batch_rows: int = 250_000
    ) -> pa.RecordBatchReader:
        """The rows of ``table`` as a stream whose memory does not grow with their number.

        A batch holds whole groups, as many as fit into ``batch_rows`` and at least one.
        """
        batches = self._batches(max(start or self.start, self.start), end, batch_rows)
        return pa.RecordBatchReader.from_batches(SIMULATED_SCHEMA, batches)

    def _batches(self, start: date, end: date | None, rows: int) -> Iterator[pa.RecordBatch]:
        days = np.arange((start - _EPOCH).days, (min(end or self.end, self.end) - _EPOCH).days)
        if days.size == 0:
            return
        step = max(1, rows // days.size)
        for first in range(0, self.groups, step):
            yield self._batch(np.arange(first, min(first + step, self.groups)), days)

    def _batch(self, groups: Integers, days: Integers) -> pa.RecordBatch:
        stores, items = np.divmod(groups, self.items)
        # The arithmetic runs over blocks that stay in the processor's cache: twice as fast.
        block = max(1, _INNER_ROWS // days.size)
        columns = [
            self._cells(stores[i : i + block], items[i : i + block], days)
            for i in range(0, groups.size, block)
        ]
        price, promotion, sales, expected = (
            np.concatenate(parts) for parts in zip(*columns, strict=True)
        )
        dates = np.tile(days.astype(np.int32), groups.size)
        return pa.RecordBatch.from_arrays(
            [
                _names("s", stores, days.size),
                _names("i", items, days.size),
                pa.array(dates).view(pa.date32()),
                pa.array(price),
                pa.array(promotion),
                pa.array(sales),
                pa.array(expected),
            ],
            schema=SIMULATED_SCHEMA,
        )

    def _cells(
        self, stores: Integers, items: Integers, days: Integers
    ) -> tuple[Floats, Integers, Floats, Floats]:
        """Price, promotion, sales and expected sales, each flat, ordered by group and day."""
        store = _hash(np.uint64(self.seed % 2**64), stores + 1)[:, None]
        item = _hash(np.uint64(self.seed % 2**64), -items - 1)[:, None]
        group = _hash(store, items[:, None])

        weeks = _uniform(_hash(_stream(group, 1), days // 7))
        promotion = (weeks < self.promotion_share).astype(np.float64)
        regular = 2 + 8 * _uniform(_stream(item, 2)) ** 2
        change = 0.9 + 0.2 * _uniform(_hash(_stream(item, 3), days // _DAYS_BETWEEN_PRICES))
        price: Floats = np.round(regular * change * (1 - _PROMOTION_DISCOUNT * promotion), 2)

        level = 0.5 * _normal(_stream(store, 4)) + 0.6 * _normal(_stream(item, 5))
        level = level + 0.2 * _normal(_stream(group, 6)) + np.log(self.mean_sales) - 0.325
        trend = 0.1 * _normal(_stream(group, 7)) * (days - (self.start - _EPOCH).days) / 365.25
        # Day 0 of 1970 was a Thursday; the weekly pattern is one number for each day of the week.
        week = 0.25 * _normal(_hash(_stream(store, 8), np.arange(7)))[:, (days + 3) % 7]
        angle = 2 * np.pi * (days / 365.25 - _uniform(_stream(item, 9)))
        year = 0.3 * _uniform(_stream(item, 10)) * np.cos(angle)
        elasticity = -0.5 - 1.5 * _uniform(_stream(item, 11))
        uplift = 0.2 + 0.4 * _uniform(_stream(item, 12))

        effect = elasticity * np.log(price / regular) + uplift * promotion
        expected = np.exp(level + trend + week + year + effect)
        sales = self._realised(group, days, expected)
        return price.ravel(), promotion.astype(np.int64).ravel(), sales.ravel(), expected.ravel()

    def _realised(self, group: Hashes, days: Integers, expected: Floats) -> Floats:
        """Whole numbers of mean ``expected``: a log-normal factor of mean 1, rounded by chance.

        Rounding ``x`` down after adding a uniform number keeps its mean.
        """
        log_variance = np.log1p(1 / expected + self.dispersion**2)
        noise = np.sqrt(log_variance) * _normal(_hash(_stream(group, 13), days)) - log_variance / 2
        chance = _uniform(_hash(_stream(group, 14), days))
        return np.floor(expected * np.exp(noise) + chance)


def _names(prefix: str, numbers: Integers, repeats: int) -> pa.Array[Any]:
    values, index = np.unique(numbers, return_inverse=True)
    names = pa.array([f"{prefix}{value + 1:04d}" for value in values])
    return names.take(pa.array(np.repeat(index, repeats), type=pa.int64()))


def _mix(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _hash(key: Hashes | np.uint64, counters: Integers) -> Hashes:
    """A hash of each key with each counter, in the shape the two broadcast to."""
    return _mix(key + (counters.astype(np.int64).view(np.uint64) + np.uint64(1)) * np.uint64(_STEP))


def _stream(key: Hashes, number: int) -> Hashes:
    """Independent keys for the ``number``-th use of ``key``."""
    return _mix(key ^ np.uint64(number * 0xD1B54A32D192ED03 % 2**64))


def _uniform(hashes: Hashes) -> Floats:
    """Uniform on (0, 1): the upper 53 bits, shifted by half so that 0 never comes."""
    return ((hashes >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _normal(hashes: Hashes) -> Floats:
    """Standard normal by Box and Muller (1958); the second uniform is a hash of the first."""
    radius = np.sqrt(-2 * np.log(_uniform(hashes)))
    normal: Floats = radius * np.cos(2 * np.pi * _uniform(_mix(hashes + np.uint64(_STEP))))
    return normal
