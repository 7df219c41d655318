"""The model of one group: what it learnt, and all it needs to forecast from raw rows.

Rows in (time and known features), forecasts out: feature definitions and the recent history travel
in the model, so that whoever loads it needs no lake.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.candidates.baseline import SeasonalNaive
from many_models.core.forecast.candidates.port import FittedCandidate, Outlook, forecast
from many_models.core.forecast.features import FeatureSpec, build_features, seasonal_naive
from many_models.core.forecast.intervals import bound
from many_models.core.forecast.panel import Panel, fill_known
from many_models.core.forecast.use_case import BASELINE, UseCase
from many_models.core.forecast.validation import bound_columns
from many_models.core.payload import load_payload


@dataclass(frozen=True)
class ForecastModel:
    """Forecasts one group up to ``horizon`` periods after ``origin``, the last period it has seen.

    ``target`` (T) and ``past`` (T, P) are the last T periods through the origin, ``last_known`` (K)
    the known features' last values; ``history`` counts all periods the group had; ``halfwidths``
    (L, H) are of the intervals at ``levels`` (L), the use case's main one first, in the target's
    unit, NaN where there was nothing to calibrate them by. ``residuals`` (F, H) are forecast minus
    actual in each fold of the backtest, where the use case has an inventory.
    """

    key: tuple[str, ...]
    time_column: str
    spec: FeatureSpec
    known_fill: tuple[str, ...]
    candidate: str
    fitted: FittedCandidate
    origin: int
    history: int
    target: Floats
    last_known: Floats
    past: Floats
    levels: tuple[float, ...]
    halfwidths: Floats
    floor: float | None
    residuals: Floats | None = None

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecasts of rows with the time column and the known features (any order of times).

        A known feature that is null takes its last value, or zero, as the use case says.

        Returns:
            ``prediction``, ``lower`` and ``upper``, and the bounds of further levels such as
            ``lower_80``, in the target's unit, by the index of ``rows``.

        Raises:
            ValueError: a column is missing, a time occurs twice, is off the grid or outside the
                horizon, or a known feature is not a number.
        """
        ahead = self._periods_ahead(rows)
        future = np.full((self.spec.horizon, len(self.spec.known)), np.nan)
        for column, name in enumerate(self.spec.known):
            future[ahead - 1, column] = _numbers(rows[name], name)
        found = self.forecast(future, self.halfwidths, self.floor)
        names = ("prediction", *bound_columns(self.levels[1:]))
        columns = dict(zip(names, found, strict=True))
        return pd.DataFrame(columns).iloc[ahead - 1].set_axis(rows.index, axis=0)

    def outlook(self) -> Outlook:
        """What is known of the horizon before the known features are: the same for all of them."""
        horizon, season = self.spec.horizon, self.spec.frequency.season
        panel = self._panel()
        x = build_features(panel, self.spec)[-horizon:]
        naive = seasonal_naive(panel, np.array([self.origin]), horizon, season)[0, 0]
        return Outlook(x, naive, self.target, self.origin)

    def forecast(
        self,
        future: Floats,
        halfwidths: Floats,
        floor: float | None,
        outlook: Outlook | None = None,
    ) -> Floats:
        """Prediction, then the lower and upper bound for each of ``halfwidths``: (1 + 2 L, H).

        ``future`` (H, K) are the known features of the horizon, NaN for what nobody told. Whoever
        forecasts again and again keeps the ``outlook``, of which making takes most of the time.
        """
        found = outlook or self.outlook()
        if self.spec.known:
            found = replace(found, x=self.spec.with_known(found.x, self._fill(future)))
        return forecast_with_intervals(self.fitted, found, halfwidths, floor)

    def example(self, count: int = 3) -> pd.DataFrame:
        """Rows that ``predict`` accepts: the periods after the origin, known features at zero."""
        periods = self.origin + 1 + np.arange(min(count, self.spec.horizon))
        times = {self.time_column: self.spec.frequency.to_time(periods)}
        return pd.DataFrame(times | {name: np.zeros(len(periods)) for name in self.spec.known})

    def halfwidths_at(self, levels: tuple[float, ...]) -> Floats:
        """Half widths (L, H) at these levels; NaN at one that the model was not trained for."""
        unknown = np.full(self.spec.horizon, np.nan)
        known = dict(zip(self.levels, self.halfwidths, strict=True))
        return np.stack([known.get(level, unknown) for level in levels])

    def _periods_ahead(self, rows: pd.DataFrame) -> Ints:
        missing = [name for name in (self.time_column, *self.spec.known) if name not in rows]
        if missing:
            raise ValueError(
                f"column {missing[0]!r} is missing; the rows have {list(rows.columns)}"
            )
        parsed = pd.to_datetime(rows[self.time_column])
        if parsed.dt.tz is not None:
            raise ValueError(f"{self.time_column} has the time zone {parsed.dt.tz}; leave it away")
        times = parsed.to_numpy().astype("datetime64[us]")
        periods = self.spec.frequency.to_period(times)
        ahead = periods - self.origin
        first, last = self.spec.frequency.to_time(np.array([1, self.spec.horizon]) + self.origin)
        outside = (ahead < 1) | (ahead > self.spec.horizon)
        outside |= self.spec.frequency.to_time(periods) != times
        if outside.any():
            raise ValueError(
                f"{self.time_column} {times[outside][0]} cannot be forecast: this model takes "
                f"times of frequency {self.spec.frequency.code!r} from {first} to {last}"
            )
        if parsed.duplicated().any():
            twice = times[parsed.duplicated()][0]
            raise ValueError(f"{self.time_column} {twice} occurs twice; give one row for each time")
        return ahead

    def _fill(self, future: Floats) -> Floats:
        """Known features of the horizon (H, K) without gaps, as far as anything is known."""
        known = np.vstack([self.last_known, future])
        ends = np.array([0, len(known)])
        filled = [fill_known(known[:, k], ends, fill) for k, fill in enumerate(self.known_fill)]
        return np.column_stack(filled)[1:]

    def _panel(self) -> Panel:
        """The recent history and the horizon, of which nothing is known."""
        horizon, rows = self.spec.horizon, len(self.target) + self.spec.horizon
        return Panel(
            origin=self.origin,
            ahead=horizon,
            starts=np.array([self.origin + 1 - len(self.target)]),
            history=np.array([self.history]),
            target=np.concatenate([self.target, np.full(horizon, np.nan)]),
            known=np.full((rows, len(self.spec.known)), np.nan),
            past=np.vstack([self.past, np.full((horizon, self.past.shape[1]), np.nan)]),
        )


def _numbers(values: pd.Series, name: str) -> Floats:
    try:
        numbers: Floats = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}") from error
    if np.isinf(numbers).any():
        raise ValueError(f"{name} is infinite; give a number, or null for none")
    return numbers


def forecast_with_intervals(
    fitted: FittedCandidate, outlook: Outlook, halfwidths: Floats, floor: float | None
) -> Floats:
    """Prediction, then the lower and upper bound for each of ``halfwidths`` (L, H): (1 + 2 L, H).

    None is below the floor.
    """
    prediction = forecast(fitted, outlook, floor)
    bounds = np.stack(bound(prediction, halfwidths, floor), axis=1)
    return np.concatenate([prediction[None], bounds.reshape(-1, len(prediction))])


def make_specimen(use_case: UseCase) -> ForecastModel:
    """A model of no group that takes and returns the columns that all models of a use case do.

    It has learnt nothing: all it has seen is zero.
    """
    spec = FeatureSpec.of(use_case)
    return ForecastModel(
        key=("",) * len(use_case.keys),
        time_column=use_case.time.column,
        spec=spec,
        known_fill=tuple(feature.fill for feature in use_case.features.known),
        candidate=BASELINE,
        fitted=SeasonalNaive(),
        origin=spec.memory,
        history=spec.memory,
        target=np.zeros(spec.memory),
        last_known=np.zeros(len(spec.known)),
        past=np.zeros((spec.memory, len(spec.past))),
        levels=use_case.validation.all_levels,
        halfwidths=np.zeros((len(use_case.validation.all_levels), use_case.horizon)),
        floor=use_case.prediction_floor,
    )


def load_model(payload: bytes) -> ForecastModel:
    """Model from its pickle, which the caller has checked against its SHA-256 before."""
    return load_payload(payload, ForecastModel)
