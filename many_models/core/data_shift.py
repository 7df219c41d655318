"""How far recent data lie from those that a model was trained on, and whether that is by chance.

A column of ``G`` groups comes in blocks, weeks of daily data, so that weekdays cancel out. Its size
of shift is the standardised mean difference (Cohen 1988; for imbalance Austin 2009), of a column of
categories the root of the population stability index, which for normal distributions of one
spread is the same: its usual limit of 0.25 is one of 0.5 here. Where there are years enough, all is
about differences from the year before, so that no season is a shift. Which rows make a block is
``data_blocks``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Flags, Floats
from many_models.core.drift import mean_variance, normal_score

PERSISTENCE_MAX = 0.7
SHIFT_MAX = 10.0
"""What a shift is called where the values before never varied."""

REFERENCE_MIN, RECENT_MIN = 8, 2
"""Blocks with values that a comparison takes."""


@dataclass(frozen=True)
class Stretch:
    """A column in one stretch of time: sums over blocks (G, K), of so many values, and squares.

    Blocks count back from the end of the stretch; ``weights`` (G, K) is 0 where one is missing, and
    ``squares`` (G) is the sum of all values' squares.
    """

    sums: Floats
    weights: Floats
    squares: Floats

    def part(self, start: int, blocks: int) -> Stretch:
        """Some blocks, with the squares of all."""
        of = slice(start, start + blocks)
        return Stretch(self.sums[:, of], self.weights[:, of], self.squares)

    @property
    def count(self) -> Floats:
        count: Floats = self.weights.sum(axis=1)
        return count

    @property
    def mean(self) -> Floats:
        mean: Floats = self.sums.sum(axis=1) / self.count
        return mean

    @property
    def spread(self) -> Floats:
        """Variance (G) of single values."""
        variance: Floats = np.maximum(self.squares / self.count - self.mean**2, 0.0)
        return variance

    @property
    def blocks(self) -> Floats:
        """Effective number of blocks (G), those of few values counting less (Kish 1965)."""
        number: Floats = self.count**2 / (self.weights**2).sum(axis=1)
        return number


@dataclass(frozen=True)
class Column:
    """A column before training and since then, each also a year earlier where it is there.

    ``reference`` and ``recent`` are as they are, ``yearly_reference`` and ``yearly_recent`` what
    they differ by from the same blocks of the year before.
    """

    reference: Stretch
    recent: Stretch
    yearly_reference: Stretch
    yearly_recent: Stretch


@dataclass(frozen=True)
class Shift:
    """``size`` (G) in standard deviations, NaN where nothing was compared, and its ``score`` (G).

    The score is a standard normal deviate; both have the sign of the change.
    """

    size: Floats
    score: Floats

    def beyond(self, size: float, score: float) -> Flags:
        """Groups (G) that have shifted by more than ``size``, and not by chance."""
        with np.errstate(invalid="ignore"):
            flags: Flags = (np.abs(self.size) > size) & (np.abs(self.score) > score)
        return flags


def measure_shift(column: Column) -> Shift:
    """Shift of a column of numbers: of its differences from the year before, where these are there.

    Means of blocks are compared by Welch's t-test, with the pooled variance between blocks and
    effective sample sizes as in ``drift.judge_accuracy``.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt((column.reference.spread + column.recent.spread) / 2)
        plain, yearly = (
            _compare(before, since, scale)
            for before, since in (
                (column.reference, column.recent),
                (column.yearly_reference, column.yearly_recent),
            )
        )
    seasonal = ~np.isnan(yearly.size)
    size = np.where(seasonal, yearly.size, plain.size)
    return Shift(size, np.where(seasonal, yearly.score, plain.score))


def measure_category_shift(shares: Sequence[Column]) -> Shift:
    """Shift of a column of categories, of each of which there is a column of 0 and 1.

    As improbable as the share that changed most.
    """
    scores = np.stack([measure_shift(column).score for column in shares])
    found = [(c.reference.sums.sum(axis=1), c.recent.sums.sum(axis=1)) for c in shares]
    before, since = (np.stack(counts) for counts in zip(*found, strict=True))
    expected, actual = ((n + 0.5) / (n + 0.5).sum(axis=0) for n in (before, since))
    index = ((actual - expected) * np.log(actual / expected)).sum(axis=0)
    score = np.abs(scores).max(axis=0)
    return Shift(np.where(np.isnan(score), np.nan, np.sqrt(index)), score)


def difference(later: Stretch, earlier: Stretch) -> Stretch:
    """What the means of blocks differ by; as many values as the lesser of both has."""
    weights = np.minimum(later.weights, earlier.weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = later.sums / later.weights - earlier.sums / earlier.weights
    sums = np.where(weights > 0, change * weights, 0.0)
    return Stretch(sums, weights, np.full(len(sums), np.nan))


def _compare(before: Stretch, since: Stretch, scale: Floats) -> Shift:
    """The difference of the means of two stretches; NaN where one has too few blocks."""
    variance, inflation = mean_variance(before.sums, before.weights, before.mean, PERSISTENCE_MAX)
    recent, _ = mean_variance(since.sums, since.weights, since.mean)
    sizes = np.stack([before.blocks, since.blocks])
    of_block = (np.stack([variance, recent]) * sizes**2).sum(axis=0) / sizes.sum(axis=0)
    parts = inflation / sizes
    change = since.mean - before.mean
    statistic = _divide(change, np.sqrt(of_block * parts.sum(axis=0)))
    score = normal_score(statistic, sizes.sum(axis=0) / inflation - 2)
    size = np.clip(_divide(change, scale), -SHIFT_MAX, SHIFT_MAX)
    known = (before.weights > 0).sum(axis=1) >= REFERENCE_MIN
    known &= (since.weights > 0).sum(axis=1) >= RECENT_MIN
    return Shift(np.where(known, size, np.nan), np.where(known, score, np.nan))


def _divide(difference: Floats, scale: Floats) -> Floats:
    """Nothing where there is no difference beyond rounding; infinite where nothing ever varied."""
    tiny = np.abs(difference) < 1e-9 * np.maximum(scale, 1e-300)
    return np.where(tiny | (difference == 0), 0.0, difference / scale)
