"""Features of a whole panel at once: of the date, known features, lags, rolling means.

What depends on the date alone is made in ``calendar``. Whatever is made from the target or from
past-only columns is at least one horizon old, so one matrix serves every backtest fold and the
final fit without leaking the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.forecast.calendar import (
    CALENDAR,
    HOLIDAYS,
    calendar_numbers,
    fourier,
    fourier_names,
    holiday_flags,
)
from many_models.core.forecast.candidates.port import Sample
from many_models.core.forecast.panel import Panel, slices
from many_models.core.forecast.use_case import UseCase
from many_models.core.frequency import Frequency

ROLLING_WINDOWS = {
    "h": (24, 168),
    "D": (7, 28, 91),
    "W": (4, 13),
    "MS": (3, 12),
    "QS": (2, 4),
    "YS": (2, 4),
}
SEASONS_AVERAGED = 4
FEATURES_VERSION = 2  # to be raised with every change of what ``build_features`` makes


@dataclass(frozen=True)
class FeatureSpec:
    """What a model's feature matrix is made of; the model carries it."""

    frequency: Frequency
    horizon: int
    known: tuple[str, ...]
    past: tuple[str, ...]
    holidays: str | None = None
    version: int = FEATURES_VERSION

    @classmethod
    def of(cls, use_case: UseCase) -> FeatureSpec:
        features = use_case.features
        return cls(
            use_case.frequency,
            use_case.horizon,
            features.known_names,
            features.past,
            features.holidays,
        )

    @property
    def seasonal_lag(self) -> int:
        """Smallest whole number of seasons that is at least the horizon, in periods."""
        return seasonal_lag(self.horizon, self.frequency.season)

    @property
    def memory(self) -> int:
        """Periods before the origin that the features of the horizon can reach back to."""
        rolling = self.horizon + max(self.windows)
        return max(rolling, self.seasonal_lag + SEASONS_AVERAGED * self.frequency.season)

    @property
    def windows(self) -> tuple[int, ...]:
        return ROLLING_WINDOWS[self.frequency.family]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the feature matrix, in order."""
        return (
            *self._of_date,
            *self.known,
            *(f"{a} x {b}" for a, b in combinations(self.known, 2)),
            *self._of_past,
            *CALENDAR[self.frequency.family],
        )

    @property
    def _of_date(self) -> tuple[str, ...]:
        return (*fourier_names(self.frequency), *(HOLIDAYS if self.holidays else ()))

    @property
    def _of_past(self) -> tuple[str, ...]:
        return (
            f"target_lag_{self.seasonal_lag}",
            f"target_same_season_mean_{SEASONS_AVERAGED}",
            *(f"target_mean_{window}" for window in self.windows),
            *(f"{name}_mean_{self.windows[0]}" for name in self.past),
        )

    @property
    def linear(self) -> Flags:
        """Columns that a linear model takes: all but the ordinal calendar numbers at the end."""
        count = len(self.names)
        return np.arange(count) < count - len(CALENDAR[self.frequency.family])

    @property
    def lagged(self) -> tuple[int, ...]:
        """Numbers of the columns made from the past of the target or of past-only features."""
        end = len(self.names) - len(CALENDAR[self.frequency.family])
        return tuple(range(end - len(self._of_past), end))

    @property
    def rare(self) -> tuple[int, ...]:
        """Numbers of the columns that are hardly ever other than zero: holidays."""
        end = len(self._of_date)
        return tuple(range(len(fourier_names(self.frequency)), end))

    def with_known(self, x: Floats, known: Floats) -> Floats:
        """Features (N, p) with the known ones (N, K), and what is made of them, in their place."""
        first = len(self._of_date)
        own = np.column_stack(_of_known(known))
        found = x.copy()
        found[:, first : first + own.shape[1]] = own
        return found

    @property
    def crossed(self) -> tuple[tuple[int, int], ...]:
        """Numbers of the columns of each known feature and of each wave of the week."""
        waves = [n for n, name in enumerate(fourier_names(self.frequency)) if "week_" in name]
        first = len(self._of_date)
        return tuple((first + number, wave) for number in range(len(self.known)) for wave in waves)

    def sample(self, x: Floats, y: Floats, origin: int) -> Sample:
        """What a candidate learns from: features (n, p) and target (n,) of one group's periods.

        ``origin`` is the number of the last one.
        """
        return Sample(
            x=x,
            y=y,
            linear=self.linear,
            season=self.frequency.season,
            horizon=self.horizon,
            origin=origin,
            lagged=self.lagged,
            rare=self.rare,
            crossed=self.crossed,
        )


def seasonal_lag(horizon: int, season: int) -> int:
    return season * -(-horizon // season)


def build_features(panel: Panel, spec: FeatureSpec) -> Floats:
    """Feature matrix (N, p) of a panel; NaN where history does not reach back far enough.

    Raises:
        ValueError: ``spec`` comes from a model that was made with other feature definitions.
    """
    if spec.version != FEATURES_VERSION:
        raise ValueError(
            f"the model was made with version {spec.version} of the feature definitions, this is "
            f"version {FEATURES_VERSION}; train it again"
        )
    season, lag = spec.frequency.season, spec.seasonal_lag
    same_season = [shift(panel, panel.target, lag + k * season) for k in range(SEASONS_AVERAGED)]
    columns = [
        *fourier(panel, spec.frequency),
        *(holiday_flags(panel, spec.frequency, spec.holidays) if spec.holidays else ()),
        *_of_known(panel.known),
        same_season[0],
        _mean_of(same_season),
        *(rolling_mean(panel, panel.target, spec.horizon, window) for window in spec.windows),
        *(rolling_mean(panel, past, spec.horizon, spec.windows[0]) for past in panel.past.T),
        *calendar_numbers(panel, spec.frequency),
    ]
    return np.column_stack(columns)


def _of_known(known: Floats) -> list[Floats]:
    """The known features, and the product of each two."""
    pairs = combinations(range(known.shape[1]), 2)
    return [*known.T, *(known[:, a] * known[:, b] for a, b in pairs)]


def shift(panel: Panel, values: Floats, lag: int) -> Floats:
    """``values`` (N) of ``lag`` periods before, within each group."""
    shifted = np.full(len(values), np.nan)
    shifted[lag:] = values[: max(len(values) - lag, 0)]
    shifted[panel.row_in_group < lag] = np.nan
    return shifted


def rolling_mean(panel: Panel, values: Floats, lag: int, window: int) -> Floats:
    """Mean (N) of the values that are there in the ``window`` periods that end ``lag`` before.

    Each window is summed anew: a running sum would carry one large value's rounding error through
    all later windows, and on to the neighbours.
    """
    means = np.full(len(values), np.nan)
    for start, end in slices(panel.offsets):
        length = end - start - lag
        if length <= 0:
            continue
        padded = np.concatenate([np.full(window - 1, np.nan), values[start : start + length]])
        sums = sliding_window_view(np.nan_to_num(padded), window).sum(axis=1)
        counts = sliding_window_view(~np.isnan(padded), window).sum(axis=1)
        means[start + lag : end] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def seasonal_naive(panel: Panel, origins: Ints, horizon: int, season: int) -> Floats:
    """Seasonal naive forecast (G, O, horizon) from each origin: the last season, repeated.

    Where that period is missing, the same period of up to three earlier seasons stands in, then the
    last value observed through the origin (NaN if there is none).
    """
    ahead = np.arange(1, horizon + 1)
    seasons_back = -(-ahead // season)
    forecast = np.full((len(panel.starts), len(origins), horizon), np.nan)
    for extra in range(SEASONS_AVERAGED):
        periods = origins[:, None] + ahead - (seasons_back + extra) * season
        values = panel.values_at(panel.target, periods)
        forecast = np.where(np.isnan(forecast), values, forecast)
    return np.where(np.isnan(forecast), _last_values(panel, origins)[:, :, None], forecast)


def _last_values(panel: Panel, origins: Ints) -> Floats:
    """Last observed target (G, O) through each origin."""
    row = np.arange(len(panel.target))
    last = np.maximum.accumulate(np.where(np.isnan(panel.target), -1, row))
    at = last[np.maximum(panel.rows_at(origins), 0)]
    seen = (panel.rows_at(origins) >= panel.offsets[:-1, None]) & (at >= panel.offsets[:-1, None])
    return np.where(seen, panel.target[at], np.nan)


def _mean_of(columns: list[Floats]) -> Floats:
    stack = np.stack(columns)
    count = (~np.isnan(stack)).sum(axis=0)
    mean: Floats = np.where(count > 0, np.nansum(stack, axis=0) / np.maximum(count, 1), np.nan)
    return mean
