"""The pooled model in the contest of candidates: one fit for each fold, and one on all data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.backtest import fold_origins
from many_models.core.forecast.candidates.pooled import Pooled
from many_models.core.forecast.dataset import Dataset
from many_models.core.forecast.panel import Panel
from many_models.core.forecast.pooled.fit import PooledFit, fit_pooled
from many_models.core.forecast.pooled.outlook import past_at
from many_models.core.forecast.pooled.sampling import category_values
from many_models.core.forecast.use_case import UseCase


@dataclass(frozen=True)
class PooledFits:
    """A partition's fits, each on data through its own origin.

    ``folds`` are those of the backtest, the latest first, None where there was too little data.
    """

    folds: tuple[PooledFit | None, ...]
    final: PooledFit


def fit_folds(rows: pa.Table, use_case: UseCase, origin: int) -> PooledFits | None:
    """Fits on sampled rows for every fold and on all data; None where that is too little."""
    final = fit_pooled(rows, use_case, origin)
    if final is None:
        return None
    origins = fold_origins(use_case, origin).tolist()
    return PooledFits(tuple(fit_pooled(rows, use_case, fold) for fold in origins), final)


@dataclass(frozen=True)
class Contender:
    """What a partition's fits forecast for the groups of a panel, whose categories are ``values``.

    ``features`` is the panel's feature matrix.
    """

    fits: PooledFits
    panel: Panel
    features: Floats
    values: tuple[tuple[str, ...], ...]

    @classmethod
    def of(
        cls, fits: PooledFits, dataset: Dataset, groups: Ints, panel: Panel, features: Floats
    ) -> Contender:
        values = tuple(category_values(dataset, group) for group in groups.tolist())
        return cls(fits, panel, features, values)

    def backtest(self, origins: Ints) -> Floats:
        """Forecasts (G, F, H) from each fold's origin, by the fit that ends there."""
        horizon = self.fits.final.spec.horizon
        found = np.full((len(self.panel.starts), len(origins), horizon), np.nan)
        for fold, (fit, origin) in enumerate(zip(self.fits.folds, origins.tolist(), strict=True)):
            if fit is not None:
                if fit.origin != origin:
                    raise ValueError(f"the pooled model of origin {origin} ends at {fit.origin}")
                found[:, fold] = fit.ahead(self.panel, self.features, self.values, origin).forecast
        return found

    def candidate(self, index: int) -> Pooled:
        """What the ``index``-th group gets: the fit on all data."""
        fit, at = self.fits.final, np.array([index])
        origins, ages = np.array([self.panel.origin]), np.array([fit.spec.memory])
        _, usual_known = past_at(fit.spec, self.panel, at, origins, ages, self.features)
        values = self.values[index]
        level, codes = fit.usual.level(values), fit.usual.codes(values)
        return Pooled(fit.trees, fit.spec, level, codes, usual_known[0])
