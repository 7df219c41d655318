"""The terms of a linear model: what it makes of a group's features, and how far it trusts them.

Beside the features that linear models take there are a trend, and the interactions of known
features with the weekly season. Fitting is done elsewhere: see ``ridge`` and ``estimator``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.forecast.candidates.port import Outlook, Sample

DAMPING = 0.9  # of the trend's slope, with each period ahead (Gardner & McKenzie 1985)
LAGGED_WEIGHT = 0.4  # prior standard deviation of a coefficient, where others have 1
RARE_WEIGHT = 0.3
CROSSED_WEIGHT = 0.1
ROWS_A_TERM = 5  # fewer are too few for interactions, too


@dataclass(frozen=True)
class Terms:
    """Which terms a model has, and what it learnt of them: ``q`` columns in all.

    ``origin`` is the last period that it was fitted on, where a trend starts to flatten (None: no
    trend); ``crossed`` (c, 2) are pairs of features to be multiplied, ``centres`` (c,) the means of
    the first ones, so that a product says nothing that the second one says already; with ``log``
    the lagged features are taken as logarithms, as the target is.
    """

    linear: Flags
    lagged: Ints
    rare: Ints
    crossed: Ints
    centres: Floats
    origin: int | None
    log: bool

    @classmethod
    def of(cls, sample: Sample, *, trend: bool, interactions: bool, log: bool) -> Terms:
        seen = ~np.isnan(sample.y)
        enough = seen.sum() >= ROWS_A_TERM * (sample.linear.sum() + len(sample.crossed))
        pairs = sample.crossed if interactions and enough else ()
        crossed = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        first = sample.x[seen][:, crossed[:, 0]]
        there = ~np.isnan(first)
        centres = np.where(there, first, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        lagged = np.array(sample.lagged, dtype=np.int64)
        origin = sample.origin if trend else None
        rare = np.array(sample.rare, dtype=np.int64)
        return cls(sample.linear, lagged, rare, crossed, centres, origin, log)

    @property
    def weights(self) -> Floats:
        """Prior standard deviations (q,) of the coefficients of standardised terms."""
        own = np.ones(len(self.linear))
        own[self.lagged] = LAGGED_WEIGHT
        own[self.rare] = RARE_WEIGHT
        trend = np.ones(0 if self.origin is None else 1)
        crossed = np.full(len(self.crossed), CROSSED_WEIGHT)
        return np.concatenate([own[self.linear], trend, crossed])

    def name(self, names: Sequence[str]) -> list[str]:
        """Names (q) of the terms, by those of the features (p)."""
        own = [name for name, linear in zip(names, self.linear, strict=True) if linear]
        trend = [] if self.origin is None else ["trend"]
        return [*own, *trend, *(f"{names[a]} x {names[b]}" for a, b in self.crossed.tolist())]

    def of_past(self, sample: Sample) -> Floats:
        """Terms (n, q) of a sample's periods; NaN where a feature is missing."""
        return self._columns(sample.x, sample.origin + 1 - len(sample.y))

    def of_future(self, outlook: Outlook) -> Floats:
        """Terms (H, q) of the periods after an origin."""
        return self._columns(outlook.x, outlook.origin + 1)

    def _columns(self, x: Floats, start: int) -> Floats:
        if self.log and len(self.lagged):
            x = x.copy()
            lagged = x[:, self.lagged]
            x[:, self.lagged] = np.sign(lagged) * np.log1p(np.abs(lagged))
        columns = [x[:, self.linear]]
        if self.origin is not None:
            columns.append(_damped(start - self.origin + np.arange(len(x)))[:, None])
        if len(self.crossed):
            known, season = x[:, self.crossed[:, 0]], x[:, self.crossed[:, 1]]
            columns.append((known - self.centres) * season)
        return np.concatenate(columns, axis=1) if len(columns) > 1 else columns[0]


def _damped(periods: Ints) -> Floats:
    """Periods since the origin; those after it count less and less."""
    ahead = np.maximum(periods, 0)
    slowing: Floats = DAMPING * (1 - DAMPING**ahead) / (1 - DAMPING)
    return np.where(periods > 0, slowing, periods)
