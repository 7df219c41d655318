"""The seasonal naive forecast: the baseline that every other candidate must beat."""

from __future__ import annotations

from dataclasses import dataclass

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.port import Outlook, Sample


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """Repeats the last season."""

    memory = 0

    def predict(self, outlook: Outlook) -> Floats:
        return outlook.naive


def fit_seasonal_naive(sample: Sample) -> SeasonalNaive:
    return SeasonalNaive()
