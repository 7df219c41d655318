"""The regular panel: every group on an unbroken grid of periods that ends at the same time.

Gaps are filled here, as the use case says, and nowhere else. All arrays are flat, group after
group, so that features are computed for a whole shard at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.forecast.dataset import Dataset
from many_models.core.forecast.use_case import UseCase


@dataclass(frozen=True)
class Panel:
    """``G`` groups, each from its first observation to ``origin + ahead`` without a gap.

    ``starts`` (G) is each group's first period, ``history`` (G) the periods it has been observed
    for (longer than the panel where only a tail is at hand), ``target`` (N) is NaN where missing
    and after the origin, ``known`` (N, K) is NaN only where a group has no value at all, ``past``
    (N, P) is NaN where missing.
    """

    origin: int
    ahead: int
    starts: Ints
    history: Ints
    target: Floats
    known: Floats
    past: Floats

    @cached_property
    def offsets(self) -> Ints:
        lengths = self.origin + self.ahead + 1 - self.starts
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    @cached_property
    def row_in_group(self) -> Ints:
        """Rows since each row's group began (N)."""
        return np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], np.diff(self.offsets))

    @cached_property
    def periods(self) -> Ints:
        return self.row_in_group + np.repeat(self.starts, np.diff(self.offsets))

    def rows_at(self, periods: Ints) -> Ints:
        """Flat row of each period (any shape S) in each group: shape (G, *S); may precede it."""
        last_rows = self.offsets[1:] - 1
        back = self.origin + self.ahead - periods
        return last_rows.reshape(-1, *[1] * back.ndim) - back

    def values_at(self, values: Floats, periods: Ints) -> Floats:
        """``values`` (N) at each period in each group; NaN before the group begins."""
        rows = self.rows_at(periods)
        begun = rows >= self.offsets[:-1].reshape(-1, *[1] * periods.ndim)
        return np.where(begun, values[np.maximum(rows, 0)], np.nan)


def build_panel(
    dataset: Dataset,
    groups: Ints,
    use_case: UseCase,
    *,
    origin: int,
    ahead: int = 0,
    data_through: int | None = None,
) -> Panel:
    """Panel of the given groups, each of which is observed at or before ``origin``.

    Targets and past-only values after the origin are not used; known features are. Periods after
    ``data_through`` (default: the origin) have not been ingested yet, so that what has no row there
    is missing even where gaps are zeros. A row whose target is null is missing anywhere.
    """
    position = np.full(len(dataset.keys), -1)
    position[groups] = np.arange(len(groups))
    starts = first_observed(dataset, origin)[groups]
    nothing = np.empty((0, 0))
    grid = Panel(origin, ahead, starts, origin + 1 - starts, np.empty(0), nothing, nothing)

    place = position[dataset.group_of_row]
    in_grid = (place >= 0) & (dataset.periods <= origin + ahead)
    in_grid &= dataset.periods >= starts[place]
    rows = np.flatnonzero(in_grid)
    at = grid.offsets[place[rows]] + dataset.periods[rows] - starts[place[rows]]
    happened = grid.periods <= origin
    ingested = grid.periods <= (origin if data_through is None else data_through)
    gap = np.where(ingested & (use_case.gaps == "zero"), 0.0, np.nan)

    target = gap.copy()
    target[at] = dataset.target[rows]
    past = np.repeat(gap[:, None], dataset.past.shape[1], axis=1)
    past[at] = dataset.past[rows]
    known = np.full((len(happened), dataset.known.shape[1]), np.nan)
    known[at] = dataset.known[rows]
    for column, feature in enumerate(use_case.features.known):
        known[:, column] = fill_known(known[:, column], grid.offsets, feature.fill)
    return replace(
        grid,
        target=np.where(happened, target, np.nan),
        known=known,
        past=np.where(happened[:, None], past, np.nan),
    )


def observed(dataset: Dataset, origin: int) -> Flags:
    """Rows (N) whose target is there and may be used at ``origin``."""
    return ~np.isnan(dataset.target) & (dataset.periods <= origin)


def first_observed(dataset: Dataset, origin: int) -> Ints:
    """First period with a usable target in each group (G); after the origin if there is none."""
    periods = np.where(observed(dataset, origin), dataset.periods, origin + 1)
    return _reduce(np.minimum, periods, dataset.offsets)


def last_observed(dataset: Dataset, origin: int) -> Ints:
    """Last period with a usable target in each group (G)."""
    periods = np.where(observed(dataset, origin), dataset.periods, np.iinfo(np.int64).min)
    return _reduce(np.maximum, periods, dataset.offsets)


def count_observed(dataset: Dataset, origin: int) -> Ints:
    return _reduce(np.add, observed(dataset, origin).astype(np.int64), dataset.offsets)


def _reduce(function: np.ufunc, values: Ints, offsets: Ints) -> Ints:
    result: Ints = function.reduceat(values, offsets[:-1]) if len(values) else values
    return result


def fill_known(values: Floats, offsets: Ints, fill: str) -> Floats:
    """Known feature (N) without gaps: zero, or the last value before (else the first one after).

    A group without any value stays NaN where the last value should stand.
    """
    missing = np.isnan(values)
    if fill == "zero" or not missing.any():
        return np.where(missing, 0.0, values)
    filled = values.copy()
    for start, end in slices(offsets):
        there = np.flatnonzero(~missing[start:end])
        if not len(there):
            continue
        source = np.maximum(np.searchsorted(there, np.arange(end - start), side="right") - 1, 0)
        filled[start:end] = values[start:end][there[source]]
    return filled


def slices(offsets: Ints) -> Sequence[tuple[int, int]]:
    """(start, end) row of each group."""
    bounds = offsets.tolist()
    return list(pairwise(bounds))
