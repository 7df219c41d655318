"""Models of intermittent demand, where most periods are zero; by statsforecast.

Each forecasts a rate: the mean demand a period. They have no parameters to fit, and look at the
last periods through the forecast origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.candidates.smoothing import PERIODS_MAX

SMOOTHING = 0.1  # of TSB's demand and probability; the usual range is 0.05 to 0.2


@dataclass(frozen=True, slots=True)
class Intermittent:
    """A model of statsforecast, by the name of its class."""

    kind: str
    memory: int

    def predict(self, outlook: Outlook) -> Floats:
        demand = np.nan_to_num(outlook.history[-self.memory :])
        if not demand.any():
            return np.zeros(len(outlook.naive))
        forecast = _model(self.kind).forecast(y=demand, h=len(outlook.naive))["mean"]
        return np.asarray(forecast, dtype=np.float64)


def fit_croston(sample: Sample) -> Intermittent:
    """Croston (1972): the size of a demand over the interval between demands."""
    return _fit(sample, "CrostonClassic")


def fit_sba(sample: Sample) -> Intermittent:
    """Croston without its bias (Syntetos & Boylan 2005)."""
    return _fit(sample, "CrostonSBA")


def fit_tsb(sample: Sample) -> Intermittent:
    """Teunter, Syntetos & Babai (2011): the probability of demand, which fades where none comes."""
    return _fit(sample, "TSB")


def _fit(sample: Sample, kind: str) -> Intermittent:
    if np.nanmin(sample.y) < 0:
        raise ValueError("the target is negative, and intermittent demand cannot be")
    return Intermittent(kind, min(len(sample.y), PERIODS_MAX))


def _model(kind: str) -> Any:
    from statsforecast import models

    settings = {"alpha_d": SMOOTHING, "alpha_p": SMOOTHING} if kind == "TSB" else {}
    return getattr(models, kind)(**settings)
