"""Gradient boosting with LightGBM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.booster import StoredBooster
from many_models.core.forecast.candidates.effects import Effect
from many_models.core.forecast.candidates.port import Outlook, Sample

TREES = 60
SETTINGS: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.07,
    "num_leaves": 6,
    "max_bin": 63,
    "min_data_in_leaf": 20,
    "lambda_l2": 1.0,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
    "verbosity": -1,
}


class GradientBoosting(StoredBooster):
    """LightGBM trees on the features of the periods ahead."""

    memory = 0

    def predict(self, outlook: Outlook) -> Floats:
        return self.predict_rows(outlook.x)

    def effects(self, sample: Sample, names: Sequence[str]) -> list[Effect]:
        gains = zip(names, self.gains(), strict=True)
        return [Effect("gain", name, gain) for name, gain in gains]


def fit_gradient_boosting(sample: Sample) -> GradientBoosting:
    import lightgbm

    x, y = sample.observed()
    data = lightgbm.Dataset(x, y, free_raw_data=True, params=SETTINGS)
    # Kept as it is: LightGBM would write the trees out and read them back in.
    trees = lightgbm.train(SETTINGS, data, TREES, keep_training_booster=True)
    return GradientBoosting(trees)
