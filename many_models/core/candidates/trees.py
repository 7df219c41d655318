"""Gradient boosting with LightGBM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from many_models.core.candidates.effects import Effect
from many_models.core.candidates.port import Outlook, Sample
from many_models.core.dataset import Floats

if TYPE_CHECKING:
    from lightgbm import Booster

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


class GradientBoosting:
    """LightGBM trees; pickled as their compressed text, which is parsed at the first prediction."""

    memory = 0

    def __init__(self, booster: Booster) -> None:
        self._booster: Booster | None = booster
        self._text: tuple[bytes, int] | None = None

    def predict(self, outlook: Outlook) -> Floats:
        if self._booster is None:
            self._booster = _parse_booster(*self.__getstate__())
        return np.asarray(self._booster.predict(outlook.x, num_threads=1), dtype=np.float64)

    def effects(self, sample: Sample, names: Sequence[str]) -> list[Effect]:
        if self._booster is None:
            self._booster = _parse_booster(*self.__getstate__())
        gains = self._booster.feature_importance("gain").tolist()
        return [Effect("gain", name, gain) for name, gain in zip(names, gains, strict=True)]

    def __getstate__(self) -> tuple[bytes, int]:
        if self._text is None:
            assert self._booster is not None  # there is a booster, or its text, or both
            self._text = _write_booster(self._booster)
        return self._text

    def __setstate__(self, text: tuple[bytes, int]) -> None:
        self._booster, self._text = None, text


def fit_gradient_boosting(sample: Sample) -> GradientBoosting:
    import lightgbm

    x, y = sample.observed()
    data = lightgbm.Dataset(x, y, free_raw_data=True, params=SETTINGS)
    # Kept as it is: LightGBM would write the trees out and read them back in.
    trees = lightgbm.train(SETTINGS, data, TREES, keep_training_booster=True)
    return GradientBoosting(trees)


def _write_booster(booster: Booster) -> tuple[bytes, int]:
    text = booster.model_to_string().encode()
    return pa.compress(text, codec="zstd", asbytes=True), len(text)


def _parse_booster(compressed: bytes, length: int) -> Booster:
    from lightgbm import Booster

    text = pa.decompress(compressed, decompressed_size=length, codec="zstd", asbytes=True)
    return Booster(model_str=text.decode())
