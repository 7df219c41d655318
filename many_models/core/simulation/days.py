"""A simulation of days: every group on every day, as a stream of batches of whole groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Ints

EPOCH = date(1970, 1, 1)
INNER_ROWS = 32_768  # blocks that stay in the processor's cache: twice as fast


class DailySimulation(ABC):
    """``groups`` x ``days`` rows from ``start``.

    Every number depends on the seed, the group and the day alone, so a cell has one value however
    the rows are cut into batches, and more groups or days add rows without changing an old one.
    """

    schema: ClassVar[pa.Schema]
    days: int
    start: date

    @property
    @abstractmethod
    def groups(self) -> int: ...

    @abstractmethod
    def cells(self, groups: Ints, days: Ints) -> list[pa.Array[Any]]:
        """Columns of some groups' consecutive days since 1970, flat, by group and day."""

    @property
    def rows(self) -> int:
        return self.groups * self.days

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.start + timedelta(days=self.days)

    def table(self, *, start: date | None = None, end: date | None = None) -> pa.Table:
        """All rows from ``start`` to before ``end``, ordered by group and date."""
        return self.reader(start=start, end=end).read_all()

    def reader(
        self, *, start: date | None = None, end: date | None = None, batch_rows: int = 250_000
    ) -> pa.RecordBatchReader:
        """The rows of ``table`` as a stream whose memory does not grow with their number.

        A batch holds whole groups, as many as fit into ``batch_rows`` and at least one.
        """
        batches = self._batches(max(start or self.start, self.start), end, batch_rows)
        return pa.RecordBatchReader.from_batches(self.schema, batches)

    def _batches(self, start: date, end: date | None, rows: int) -> Iterator[pa.RecordBatch]:
        days = np.arange((start - EPOCH).days, (min(end or self.end, self.end) - EPOCH).days)
        if days.size == 0:
            return
        step = max(1, rows // days.size)
        block = max(1, INNER_ROWS // days.size)
        for first in range(0, self.groups, step):
            last = min(first + step, self.groups)
            parts = [
                self.cells(np.arange(begin, min(begin + block, last)), days)
                for begin in range(first, last, block)
            ]
            columns = [pa.concat_arrays(column) for column in zip(*parts, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _check_sizes(self, *names: str) -> None:
        for name in ("days", *names):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")


def dates(days: Ints, groups: int) -> pa.Array[Any]:
    """Column of the days' dates, again for each group."""
    return pa.array(np.tile(days.astype(np.int32), groups)).view(pa.date32())


def weekdays(days: Ints) -> Ints:
    """0 is Monday; day 0 of 1970 was a Thursday."""
    found: Ints = (days + 3) % 7
    return found
