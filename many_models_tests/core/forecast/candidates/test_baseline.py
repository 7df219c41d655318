from __future__ import annotations

import numpy as np

from many_models.core.forecast.candidates.baseline import SeasonalNaive
from many_models_tests.core.forecast.candidates.samples import ahead


def test_the_seasonal_naive_passes_on_the_naive_forecast() -> None:
    naive = np.array([1.0, 2.0])
    assert SeasonalNaive().predict(ahead(np.empty((2, 0)), naive)).tolist() == [1, 2]
