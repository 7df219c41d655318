"""The level of a series: its mean or its median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.port import Outlook, Sample


@dataclass(frozen=True, slots=True)
class Level:
    """The same value for every period: the average of the last ``memory`` periods."""

    average: Literal["mean", "median"]
    memory: int

    def predict(self, outlook: Outlook) -> Floats:
        recent = outlook.history[-self.memory :]
        value = np.nanmean(recent) if self.average == "mean" else np.nanmedian(recent)
        return np.full(len(outlook.naive), value)


def fit_mean(sample: Sample) -> Level:
    return Level("mean", len(sample.y))


def fit_median(sample: Sample) -> Level:
    return Level("median", len(sample.y))
