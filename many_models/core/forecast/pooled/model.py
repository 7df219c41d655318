"""The pooled model as it stands in the registry: rows of any group in, forecasts out.

Whoever has no model of its own is served by it: a group that is too young, or unknown even.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa

from many_models.core.arrays import Floats
from many_models.core.forecast.backtest import fold_origins
from many_models.core.forecast.dataset import Dataset
from many_models.core.forecast.features import FeatureSpec, build_features
from many_models.core.forecast.intervals import bound
from many_models.core.forecast.panel import Panel, build_panel
from many_models.core.forecast.pooled.calibration import calibrate_folds
from many_models.core.forecast.pooled.contender import PooledFits
from many_models.core.forecast.pooled.fit import PooledFit
from many_models.core.forecast.pooled.sampling import category_columns
from many_models.core.forecast.use_case import UseCase
from many_models.core.forecast.validation import bound_columns
from many_models.core.payload import load_payload
from many_models.core.use_case import Source


@dataclass(frozen=True)
class PooledModel:
    """Forecasts any group of a partition, whatever its age.

    ``halfwidths`` (2, L, H), in units of a group's level, are of the intervals at ``levels`` (L):
    of groups seen for less than the window that their level is taken over, and of the others;
    ``coverage`` is the share that they hold in the backtest.
    """

    partition: str
    use_case_json: str
    spec: FeatureSpec
    fit: PooledFit
    halfwidths: Floats
    coverage: float

    @property
    def use_case(self) -> UseCase:
        """What it was trained for, but not the source."""
        return _parse_use_case(self.use_case_json)

    @property
    def origin(self) -> int:
        """Number of the last period that it has seen."""
        return self.fit.origin

    def serve(
        self,
        panel: Panel,
        features: Floats,
        values: Sequence[tuple[str, ...]],
        levels: tuple[float, ...],
    ) -> Floats:
        """Predictions, and the bounds at each of ``levels``: (G, 1 + 2 L, H), none below the floor.

        Of the groups of a panel that reaches one horizon ahead, with their feature matrix and
        categories. A level that the model was not trained for has no bounds (NaN).
        """
        floor = self.use_case.prediction_floor
        ahead = self.fit.ahead(panel, features, values, panel.origin)
        known = dict(
            zip(self.use_case.validation.all_levels, range(self.halfwidths.shape[1]), strict=True)
        )
        unknown = np.full(self.halfwidths.shape[::2], np.nan)
        relative = np.stack(
            [self.halfwidths[:, known[n]] if n in known else unknown for n in levels], axis=1
        )
        grown = (ahead.seen >= self.fit.spec.level_window).astype(np.int64)
        halfwidths = relative[grown] * ahead.scale[:, None, None]
        prediction = ahead.forecast if floor is None else np.maximum(ahead.forecast, floor)
        bounds = np.stack(bound(prediction[:, None], halfwidths, floor), axis=2)
        flat = bounds.reshape(len(values), -1, prediction.shape[1])
        return np.concatenate([prediction[:, None], flat], axis=1)

    def residuals(
        self, panel: Panel, features: Floats, values: Sequence[tuple[str, ...]]
    ) -> Floats:
        """Forecast minus actual (G, F, H) in each fold; NaN in those before a group began.

        By the fit on all data, which has learnt from these periods, too, but from those of many
        groups: its errors are smaller than those of the folds' own fits by a percent or so.
        """
        origins = fold_origins(self.use_case, panel.origin)
        forecasts = [
            self.fit.ahead(panel, features, values, origin).forecast for origin in origins.tolist()
        ]
        forecast = np.stack(forecasts, axis=1)
        floor = self.use_case.prediction_floor
        actual = panel.values_at(panel.target, origins[:, None] + 1 + np.arange(forecast.shape[2]))
        begun = panel.starts[:, None] <= origins
        bounded = forecast if floor is None else np.maximum(forecast, floor)
        return np.where(begun[:, :, None], bounded - actual, np.nan)

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecasts of rows of one or several groups, by what the same rows hold of their past.

        Rows have the time column and the known features. Where they have the target, those before
        a group's last one are its past, and what comes after is forecast; keys and static features
        say which group it is, and what is usual for such.

        Returns:
            ``prediction``, ``lower`` and ``upper``, and the bounds of further levels such as
            ``lower_80``, in the target's unit, by the index of ``rows``; NaN for the past.

        Raises:
            ValueError: a column is missing, a time occurs twice, is off the grid or further ahead
                than the horizon.
        """
        use_case = self.use_case
        needed = (use_case.time.column, *use_case.features.known_names)
        if missing := [name for name in needed if name not in rows]:
            raise ValueError(f"column {missing[0]!r} is missing; there are {list(rows.columns)}")
        given = rows.reset_index(drop=True)
        texts = [name for name in category_columns(use_case) if name in rows]
        given[texts] = given[texts].astype(object).where(given[texts].notna(), "").astype(str)
        keys = [name for name in use_case.keys if name in rows]
        groups = [part for _, part in given.groupby(keys)] if keys else [given]
        names = ("prediction", *bound_columns(use_case.validation.levels))
        found = np.full((len(rows), len(names)), np.nan)
        for group in groups:
            ordered = group.sort_values(use_case.time.column)
            found[ordered.index] = self._predict_group(ordered)
        return pd.DataFrame(found, columns=list(names), index=rows.index)

    def example(self, count: int = 3) -> pd.DataFrame:
        """Rows that ``predict`` accepts: a group's last period, and some after it."""
        use_case = self.use_case
        periods = self.origin + np.arange(1 + min(count, self.spec.horizon))
        ahead = len(periods) - 1
        columns: dict[str, object] = {
            **{name: ["", *[None] * ahead] for name in category_columns(use_case)},
            use_case.time.column: self.spec.frequency.to_time(periods),
            use_case.target: [0.0, *[np.nan] * ahead],
            **{name: np.zeros(len(periods)) for name in use_case.features.known_names},
        }
        return pd.DataFrame(columns)

    def _predict_group(self, rows: pd.DataFrame) -> Floats:
        """Forecasts (N, 1 + 2 L) of one group's rows, which are in the order of time."""
        frequency, horizon = self.spec.frequency, self.spec.horizon
        dataset = self._read(rows)
        observed = dataset.periods[~np.isnan(dataset.target)]
        origin = int(observed[-1] if len(observed) else dataset.periods[0] - 1)
        ahead = dataset.periods - origin
        if ahead[-1] > horizon:
            first, last = frequency.to_time(np.array([1, horizon]) + origin)
            raise ValueError(
                f"{rows[self.use_case.time.column].iloc[-1]} cannot be forecast: after the last "
                f"{self.use_case.target} come times from {first} to {last}"
            )
        panel = build_panel(dataset, np.array([0]), self.use_case, origin=origin, ahead=horizon)
        values = [(*dataset.keys[0], *dataset.statics[0])]
        levels = self.use_case.validation.all_levels
        served = self.serve(panel, build_features(panel, self.spec), values, levels)[0].T
        return np.where((ahead > 0)[:, None], served[np.maximum(ahead, 1) - 1], np.nan)

    def _read(self, rows: pd.DataFrame) -> Dataset:
        use_case = self.use_case
        time = use_case.time.column
        times = pd.to_datetime(rows[time]).to_numpy().astype("datetime64[us]")
        periods = self.spec.frequency.to_period(times)
        if (self.spec.frequency.to_time(periods) != times).any() or (np.diff(periods) == 0).any():
            raise ValueError(
                f"{time} occurs twice, or is not on the grid of frequency "
                f"{self.spec.frequency.code!r}"
            )

        def numbers(names: Sequence[str]) -> Floats:
            columns = rows.reindex(columns=list(names)).astype(np.float64)
            return columns.to_numpy().reshape(len(rows), len(names))

        def texts(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
            return (tuple(str(rows[n].iloc[0]) if n in rows else "" for n in names),)

        return Dataset(
            keys=texts(use_case.keys),
            statics=texts(use_case.features.static),
            offsets=np.array([0, len(rows)]),
            periods=periods,
            target=numbers([use_case.target])[:, 0],
            known=numbers(use_case.features.known_names),
            past=numbers(use_case.features.past),
            problems={},
        )


def make_pooled_model(
    rows: pa.Table, fits: PooledFits, use_case: UseCase, partition: str
) -> PooledModel:
    """The model for the registry: the fit on all data, with intervals by those of the folds."""
    calibration = calibrate_folds(rows, fits, use_case)
    nothing = Source(url="sqlite://", table="nothing", start=use_case.source.start)
    described = use_case.model_copy(update={"source": nothing, "description": ""})
    return PooledModel(
        partition=partition,
        use_case_json=described.model_dump_json(),
        spec=FeatureSpec.of(use_case),
        fit=fits.final,
        halfwidths=calibration.halfwidths,
        coverage=calibration.coverage,
    )


@lru_cache(16)
def _parse_use_case(text: str) -> UseCase:
    return UseCase.model_validate_json(text)


def load_pooled(payload: bytes) -> PooledModel:
    """Model from its pickle, which the caller has checked against its SHA-256 before."""
    return load_payload(payload, PooledModel)
