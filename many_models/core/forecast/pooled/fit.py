"""Fitting the pooled model on sampled rows: what is usual in the partition, then the trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats, Ints
from many_models.core.forecast.candidates.booster import StoredBooster
from many_models.core.forecast.features import FeatureSpec
from many_models.core.forecast.panel import Panel
from many_models.core.forecast.pooled.outlook import PooledRows, PooledSpec, rows_ahead
from many_models.core.forecast.pooled.sampling import category_columns
from many_models.core.forecast.pooled.usual import Usual, find_usual
from many_models.core.forecast.use_case import UseCase

ROWS_MIN = 200
TREES = 60
SETTINGS: dict[str, Any] = {
    "learning_rate": 0.15,
    "num_leaves": 15,
    "max_bin": 127,
    "min_data_in_leaf": 50,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
    "cat_smooth": 20,
    "max_cat_threshold": 16,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbosity": -1,
}
ABSOLUTE = {"objective": "huber", "alpha": 1.0}  # beyond one level a row pulls, but not squared
SQUARED = {"objective": "regression"}
SQUARED_METRICS = ("rmse", "rmsse")
TARGET_MAX = 20.0  # in units of the level, so that no one row rules the trees
SURE = 3  # observations after which a group's level is as good as half known


@dataclass(frozen=True)
class PooledFit:
    """Trees fitted on all groups of a partition through one ``origin``."""

    spec: PooledSpec
    usual: Usual
    trees: StoredBooster
    origin: int
    groups: int
    rows: int

    def ahead(
        self, panel: Panel, features: Floats, values: Sequence[tuple[str, ...]], origin: int
    ) -> Ahead:
        """Forecasts of the horizon after ``origin`` for the groups of a panel.

        ``features`` is the panel's feature matrix, ``values`` are the groups' categories.
        """
        rows = rows_ahead(self.spec, panel, features, np.array([origin]))
        shape = len(values), self.spec.horizon
        levels = np.repeat([self.usual.level(of) for of in values], shape[1])
        codes = np.repeat([self.usual.codes(of) for of in values], shape[1], axis=0)
        matrix, scale = scale_rows(rows, levels, codes)
        forecast = (self.trees.predict_rows(matrix) * scale).reshape(shape)
        return Ahead(forecast, scale.reshape(shape)[:, 0], rows.seen.reshape(shape)[:, 0])


@dataclass(frozen=True)
class Ahead:
    """Forecasts (G, H) of a horizon, each group's ``scale`` (G,) and periods ``seen`` (G,)."""

    forecast: Floats
    scale: Floats
    seen: Ints


def forecast_rows(trees: StoredBooster, rows: PooledRows, levels: Floats, codes: Floats) -> Floats:
    """Forecast (N,) in the target's unit."""
    matrix, scale = scale_rows(rows, levels, codes)
    return trees.predict_rows(matrix) * scale


def scale_rows(rows: PooledRows, levels: Floats, codes: Floats) -> tuple[Floats, Floats]:
    """Matrix (N, p) for the trees, and the scale (N,) in the target's unit that it is in.

    The scale is the group's own level; where nothing above zero was seen, what is ``usual``, the
    less the longer there was nothing. How far apart the two are the trees are told, too, but the
    less the longer a group was seen: then its own level is all that matters.
    """
    scale = np.where(np.isnan(rows.level), levels / (1 + rows.seen), rows.level)
    relative = np.log(levels / scale) * SURE / (rows.seen + SURE)
    scaled = rows.scaled / scale[:, None]
    return np.column_stack([rows.plain, scaled, relative, codes]), scale


def fit_pooled(table: pa.Table, use_case: UseCase, origin: int) -> PooledFit | None:
    """Fit on those of the sampled rows whose period is at or before ``origin``.

    None where there are too few rows to learn from. The trees minimise what the use case's metric
    is made of: squared errors, or else nearly absolute ones.
    """
    import lightgbm

    columns = category_columns(use_case)
    past = table.filter(pc.less_equal(table["period"], origin))
    if len(past) < ROWS_MIN:
        return None
    past = past.sort_by([(name, "ascending") for name in ("group", "period", "draw")])
    usual = find_usual(past, columns)
    if usual is None:
        return None
    rows, target = read_rows(past)
    levels, codes = usual.look_up(past, columns)
    matrix, scale = scale_rows(rows, levels, codes)
    y = np.clip(target / scale, -TARGET_MAX, TARGET_MAX)
    weight = (rows.seen + 1) / (rows.seen + 1 + SURE)
    width = matrix.shape[1]
    categories = list(range(width - len(columns), width))
    squared = use_case.validation.metric in SQUARED_METRICS
    settings = SETTINGS | (SQUARED if squared else ABSOLUTE)
    data = lightgbm.Dataset(
        matrix, y, weight=weight, params=settings, categorical_feature=categories
    )
    trees = StoredBooster.reduced_to_predict(lightgbm.train(settings, data, TREES))
    spec = PooledSpec.of(FeatureSpec.of(use_case))
    return PooledFit(spec, usual, trees, origin, len(pc.unique(past["group"])), len(past))


def read_rows(table: pa.Table) -> tuple[PooledRows, Floats]:
    """Sampled rows, and their target."""
    matrices = {}
    for name in ("scaled", "plain"):
        flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        matrices[name] = flat.reshape(len(table), -1).astype(np.float64)
    level = table["level"].to_numpy()
    return PooledRows(level, table["seen"].to_numpy(), **matrices), table["target"].to_numpy()
