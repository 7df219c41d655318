"""Quantiles of the demand over several periods, from forecasts and what a backtest was off by.

Daily quantiles do not add up: their sum takes all days to be bad at once, and what takes the days
to be independent forgets that a level missed is missed every day (Hyndman, "Forecast intervals for
aggregates"; Hyndman, Koehler, Ord and Snyder, 2008, on lead-time demand). So errors are measured on
sums: a backtest's forecasts and actuals, added up over windows as long as the interval in question.

- *How large* they are: the root mean square of a group's windows, as Silver, Pyke and Thomas (2017)
  have it. A few folds tell little, so it is moderated by what is usual among its peers, the groups
  at hand, for such a demand (their regression of the errors' variance on demand), by as much as
  peers resemble each other: the empirical Bayes estimate of Smyth (2004, "Linear models and
  empirical Bayes methods", section 3).
- *How far* the quantile lies from the forecast, in these units: that of all peers' errors, each in
  units of what the *other* folds of its group say (split conformal, as in ``intervals``), and never
  less than Student's t asks for. It is skewed where demand is.

``benchmarks/inventory.py`` has what this attains, beside simpler ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from many_models.core.arrays import Floats, Ints

PEERS_MIN = 10  # groups of which less is usual in nothing
PEERS_COUNT_MAX = 64.0  # windows that peers can count for, however alike they are


@dataclass(frozen=True)
class SumForecast:
    """Sums over each group's span (G): ``demand`` forecast, ``deviation`` of its error, ``bound``.

    The actual is at most ``bound`` with the probability asked for. NaN where nothing is known of
    the errors.
    """

    demand: Floats
    deviation: Floats
    bound: Floats


def forecast_sums(forecast: Floats, residuals: Floats, spans: Ints, levels: Floats) -> SumForecast:
    """Demand of the first ``spans`` (G) periods of forecasts (G, H), 0 to H of them.

    ``residuals`` (G, F, H) are forecast minus actual in a backtest, NaN where there is none;
    ``levels`` (G) are probabilities above a half and below one.
    """
    sums = np.cumsum(np.pad(forecast, [(0, 0), (1, 0)]), axis=1)
    demand = np.take_along_axis(sums, spans[:, None], axis=1)[:, 0]
    windows = _sum_windows(residuals, spans)
    sizes = _Sizes.of(windows, spans)
    peers = _Peers.of(sizes, demand)
    squares, count = peers.moderate(sizes.total.sum(axis=1), sizes.count.sum(axis=1), demand)
    factor = stats.t.ppf(levels, np.maximum(count, 1.0))
    factor = np.fmax(factor, peers.quantiles(windows, sizes, demand, levels))
    deviation = np.where(spans == 0, 0.0, np.sqrt(squares))
    return SumForecast(demand, deviation, demand + factor * deviation)


def _sum_windows(residuals: Floats, spans: Ints) -> Floats:
    """Actual minus forecast (G, F, H), added up over the span that begins at each step.

    NaN where the span reaches beyond the fold, or over a period without an actual.
    """
    there = ~np.isnan(residuals)
    both = np.stack([np.where(there, -residuals, 0.0), there])
    sums = np.cumsum(np.pad(both, [(0, 0)] * 3 + [(1, 0)]), axis=3)
    horizon = residuals.shape[2]
    ends = np.minimum(np.arange(horizon) + spans[:, None], horizon)
    ends = np.broadcast_to(ends[None, :, None], both.shape)
    found, count = np.take_along_axis(sums, ends, axis=3) - sums[..., :-1]
    whole = (count == spans[:, None, None]) & (spans > 0)[:, None, None]
    return np.where(whole, found, np.nan)


@dataclass(frozen=True)
class _Sizes:
    """Sum of squares ``total`` (G, F) of a fold's windows, as of so many separate ones ``count``.

    Windows that overlap say little more than those that do not.
    """

    total: Floats
    count: Floats

    @classmethod
    def of(cls, windows: Floats, spans: Ints) -> _Sizes:
        there = (~np.isnan(windows)).sum(axis=2)
        mean = np.nansum(windows**2, axis=2) / np.maximum(there, 1)
        separate = (there + spans[:, None] - 1) / np.maximum(spans, 1)[:, None]
        count = np.where(there > 0, separate, 0.0)
        return cls(mean * count, count)


@dataclass(frozen=True)
class _Peers:
    """What is usual among groups: the errors' variance by demand, as good as ``count`` windows.

    A power of the demand: ``exp(intercept) * demand**slope``.
    """

    intercept: float
    slope: float
    count: float
    least_demand: float

    @classmethod
    def of(cls, sizes: _Sizes, demand: Floats) -> _Peers:
        total, count = sizes.total.sum(axis=1), sizes.count.sum(axis=1)
        usable = (total > 0) & (demand > 0)
        if usable.sum() < PEERS_MIN:
            return cls(0.0, 0.0, 0.0, 1.0)
        x, y = np.log(demand[usable]), np.log(total[usable] / count[usable])
        centred = x - x.mean()
        spread = float(centred @ centred)
        slope = float(centred @ y) / spread if spread > 1e-9 * len(x) else 0.0
        unlike = y - y.mean() - slope * centred
        by_chance = special.polygamma(1, count[usable] / 2).mean()
        more = max(float(unlike.var() - by_chance), 1e-9)
        # Half of the count solves trigamma(x) = more, which is 1 / x + 1 / (2 x²), nearly.
        likeness = min(1.0 + 2.0 / more, PEERS_COUNT_MAX)
        return cls(float(y.mean() - slope * x.mean()), slope, likeness, float(demand[usable].min()))

    def moderate(self, total: Floats, count: Floats, demand: Floats) -> tuple[Floats, Floats]:
        """Mean squares, own and usual, and the windows that they rest on; NaN where on none."""
        usual = np.exp(self.intercept) * np.maximum(demand, self.least_demand) ** self.slope
        together = count + self.count
        found = np.full(total.shape, np.nan)
        np.divide(total + self.count * usual, together, out=found, where=together > 0)
        return found, together

    def quantiles(self, windows: Floats, sizes: _Sizes, demand: Floats, levels: Floats) -> Floats:
        """Quantiles (G) at ``levels`` (G) of all groups' errors, in units of their other folds'."""
        others = [each.sum(axis=1, keepdims=True) - each for each in (sizes.total, sizes.count)]
        squares, _ = self.moderate(np.maximum(others[0], 0.0), others[1], demand[:, None])
        unit = np.sqrt(squares)[:, :, None]
        scores = np.divide(windows, unit, out=np.full(windows.shape, np.nan), where=unit > 0)
        judged = ~np.isnan(scores)
        separate = float((sizes.count * judged.any(axis=2)).sum())
        ordered = np.sort(scores[judged])
        if not len(ordered):
            return np.full(len(levels), np.nan)
        share = np.minimum(levels * (separate + 1) / separate, 1.0)
        place = np.ceil(np.round(share * len(ordered), 9)).astype(np.int64) - 1
        found: Floats = ordered[np.maximum(place, 0)]
        return found
