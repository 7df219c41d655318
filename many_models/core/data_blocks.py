"""A shard's rows in blocks of time: before each champion's training, since then, a year earlier.

A block is a week of daily data, a day of hourly data, else one period. Which differences between
them matter is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.data_shift import RECENT_MIN, Column, Stretch, difference
from many_models.core.forecast.dataset import find_groups, rows_as_text
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import group_key
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case import AnyUseCase

CATEGORIES_MAX = 20
"""Of a column; what is rarer in the shard counts as one."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Blocks of ``length`` periods: so many in the ``reference``, and so many a ``year``."""

    length: int
    reference: int
    year: int


GRIDS: Mapping[str, Grid] = {
    "h": Grid(24, 364, 364),
    "D": Grid(7, 52, 52),
    "W": Grid(1, 52, 52),
    "MS": Grid(1, 24, 12),
    "QS": Grid(1, 12, 4),
    "YS": Grid(1, 10, 0),
}
"""By family of frequency; 52 weeks are a year, so that weekdays meet their like."""


def blocks_since(
    use_case: AnyUseCase, trained: NDArray[np.datetime64], through: NDArray[np.datetime64]
) -> Ints:
    """Whole blocks (G) of the window that have come since training; none where there is one."""
    frequency, length = use_case.frequency, GRIDS[use_case.frequency.family].length
    window = max(use_case.drift.window_of(frequency) // length, RECENT_MIN)
    periods = frequency.to_period(through) - frequency.to_period(trained)
    blocks = np.clip(periods // length, 0, window)
    found: Ints = np.where(blocks < RECENT_MIN, 0, blocks)
    return found


@dataclass(frozen=True)
class _Place:
    """A stretch of ``K`` blocks in each group.

    ``rows`` are those in it and ``cells`` their flat index into (G, K); ``periods`` (G, K) says how
    many periods of the group's time each block has.
    """

    rows: Ints
    cells: Ints
    periods: Floats

    @property
    def shape(self) -> tuple[int, int]:
        groups, blocks = self.periods.shape
        return groups, blocks

    def sum(self, values: Floats, among: Flags) -> Floats:
        """Sums (G, K) of values (of ``rows``), of some of them."""
        size = self.periods.size
        found = np.bincount(self.cells[among], values[among], size)
        return found.astype(np.float64).reshape(self.shape)

    def stretch(self, values: Floats, *, gaps_are_zero: bool, used: int) -> Stretch:
        """A column (N) in these blocks; the first ``used`` give the squares."""
        here = values[self.rows]
        there = ~np.isnan(here)
        sums, ones = self.sum(here, there), np.ones(len(here))
        weights = self.periods - self.sum(ones, ~there) if gaps_are_zero else self.sum(ones, there)
        squares = self.sum(here**2, there)[:, :used].sum(axis=1)
        return Stretch(sums, np.maximum(weights, 0.0), squares)


@dataclass(frozen=True)
class DataBlocks:
    """A shard's rows in time, with the champions' training and what has come since."""

    table: pa.Table
    use_case: AnyUseCase
    keys: tuple[str, ...]
    has_champion: Flags
    group: Ints
    periods: Ints
    first: Ints
    trained: Ints
    through: int
    blocks: Ints

    @classmethod
    def read(
        cls,
        table: pa.Table,
        use_case: AnyUseCase,
        trained_through: Mapping[str, np.datetime64],
        data_through: np.datetime64,
    ) -> DataBlocks:
        offsets = find_groups(table, use_case.keys)
        heads = rows_as_text(table.take(pa.array(offsets[:-1])), use_case.keys)
        keys = tuple(group_key(use_case.keys, head) for head in heads)
        frequency, through = use_case.frequency, data_through
        times = table[use_case.time.column].cast(pa.timestamp("us")).to_numpy()
        last = int(frequency.to_period(np.array([through]))[0])
        periods = np.where(np.isnat(times), last + 1, frequency.to_period(times))
        listed = [trained_through.get(key, through) for key in keys]
        trained = np.array(listed, dtype="datetime64[us]")
        observed = np.where(pc.is_valid(table[use_case.target]).to_numpy(), periods, last + 1)
        first = np.minimum.reduceat(observed, offsets[:-1]) if len(table) else observed
        return cls(
            table=table,
            use_case=use_case,
            keys=keys,
            has_champion=np.array([key in trained_through for key in keys], dtype=bool),
            group=np.repeat(np.arange(len(keys)), np.diff(offsets)),
            periods=periods,
            first=first,
            trained=frequency.to_period(trained),
            through=last,
            blocks=blocks_since(use_case, trained, np.full(len(keys), through)),
        )

    @cached_property
    def grid(self) -> Grid:
        return GRIDS[self.use_case.frequency.family]

    @cached_property
    def reference(self) -> _Place:
        count = self.grid.reference + self.grid.year
        return self._place(self.trained, np.full(len(self.keys), count), count)

    @cached_property
    def recent(self) -> _Place:
        return self._place(np.full(len(self.keys), self.through), self.blocks, self._most)

    @cached_property
    def year_before(self) -> _Place:
        end = self.through - self.grid.year * self.grid.length
        return self._place(np.full(len(self.keys), end), self.blocks, self._most)

    @property
    def _most(self) -> int:
        return max(int(self.blocks.max(initial=0)), 1)

    def _place(self, ends: Ints, blocks: Ints, most: int) -> _Place:
        """Up to ``most`` blocks that count back from the period ``ends`` (G) of each group."""
        length = self.grid.length
        back = ends[self.group] - self.periods
        block = back // length
        started = self.periods >= self.first[self.group]
        rows = np.flatnonzero((back >= 0) & (block < blocks[self.group]) & started)
        number = np.arange(most)
        last = ends[:, None] - number * length
        periods = np.clip(last - self.first[:, None] + 1, 0, length).astype(float)
        periods[number >= blocks[:, None]] = 0.0
        return _Place(rows, self.group[rows] * most + block[rows], periods)

    def columns(self) -> Iterator[tuple[str, list[Column]]]:
        """Each column by name, in one part or in one for each of its categories."""
        use_case = self.use_case
        if isinstance(use_case, UseCase):
            gaps = use_case.gaps == "zero"
            for name in (use_case.target, *use_case.features.past):
                yield name, [self._column(self._numbers(name), gaps)]
            for feature in use_case.features.known:
                values, is_zero = self._numbers(feature.name), feature.fill == "zero"
                yield feature.name, [self._column(values, is_zero)]
        elif isinstance(use_case, TabularUseCase):
            for name in use_case.numeric_columns:
                yield name, [self._column(self._numbers(name), False)]
            if not use_case.target_is_number:
                yield use_case.target, self._categories(use_case.target, null_counts=False)
            for name in use_case.features.categorical:
                yield name, self._categories(name, null_counts=True)

    def _numbers(self, name: str) -> Floats:
        values: Floats = self.table[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
        return np.where(np.isinf(values), np.nan, values)

    def _categories(self, name: str, *, null_counts: bool) -> list[Column]:
        texts = self.table[name].cast(pa.string()).combine_chunks()
        codes = pc.dictionary_encode(texts).indices.fill_null(-1).to_numpy(zero_copy_only=False)
        seen = np.concatenate([self.reference.rows, self.recent.rows])
        counts = np.bincount(codes[seen] + 1)
        counts[:1] *= null_counts
        common = np.argsort(-counts, kind="stable")[: CATEGORIES_MAX - 1] - 1
        parts = [codes == code for code in common.tolist() if counts[code + 1] > 0]
        rest = ~np.logical_or.reduce([np.zeros(len(codes), dtype=bool), *parts])
        ignored = np.zeros(len(codes), dtype=bool) if null_counts else codes < 0
        parts += [rest & ~ignored]
        return [self._column(np.where(ignored, np.nan, part), False) for part in parts]

    def _column(self, values: Floats, gaps_are_zero: bool) -> Column:
        grid = self.grid
        whole = self.reference.stretch(values, gaps_are_zero=gaps_are_zero, used=grid.reference)
        recent = self.recent.stretch(values, gaps_are_zero=gaps_are_zero, used=self._most)
        before = self.year_before.stretch(values, gaps_are_zero=gaps_are_zero, used=self._most)
        reference, earlier = whole.part(0, grid.reference), whole.part(grid.year, grid.reference)
        nothing = recent.part(0, 0)
        return Column(
            reference=reference,
            recent=recent,
            yearly_reference=difference(reference, earlier) if grid.year else nothing,
            yearly_recent=difference(recent, before) if grid.year else nothing,
        )
