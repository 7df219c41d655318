from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.port import Outlook, forecast
from many_models_tests.core.forecast.candidates.samples import NAN, ahead


@dataclass
class _Says:
    values: list[float]
    memory: int = 0

    def predict(self, outlook: Outlook) -> Floats:
        return np.array(self.values)


def test_a_forecast_is_nowhere_below_the_floor() -> None:
    nothing = np.empty((3, 0))
    assert forecast(_Says([-1, 0, 5]), ahead(nothing, nothing), 0.0).tolist() == [0, 0, 5]
    assert forecast(_Says([-1, 0, 5]), ahead(nothing, nothing), None).tolist() == [-1, 0, 5]


@pytest.mark.parametrize("bad", [NAN, float("inf"), float("-inf")])
def test_a_forecast_that_is_not_finite_is_an_error(bad: float) -> None:
    nothing = np.empty((2, 0))
    with pytest.raises(ValueError, match="the forecast is not finite"):
        forecast(_Says([1, bad]), ahead(nothing, nothing), 0.0)
