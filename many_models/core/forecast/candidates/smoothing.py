"""Models of a series' own past: exponential smoothing, Theta, complex smoothing; by statsforecast.

Fitting finds a model's form and parameters. A forecast runs the fitted model over the target from
the period that it was fitted from through the forecast origin, so that later origins see later data
without a new fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.effects import Effect
from many_models.core.forecast.candidates.port import Candidate, FittedCandidate, Outlook, Sample

PERIODS_MAX = 1_000  # older ones say little about a level, and cost time
SEASONS_NEEDED = 2  # fewer cannot tell a season from chance
OBSERVATIONS_NEEDED = 8  # exponential smoothing has up to seven parameters
ETS_PARAMETERS = ("alpha", "beta", "gamma", "phi")
KEPT = ("m", "components", "par", "n_params", "modeltype", "seasontype", "distribution")


@dataclass(frozen=True)
class Smoothing:
    """A fitted model of statsforecast: the name of its class, the season and its parameters.

    ``start`` is the period that it was fitted from.
    """

    kind: str
    season: int
    parameters: Mapping[str, Any]
    start: int
    memory: int

    def predict(self, outlook: Outlook) -> Floats:
        model = _model(self.kind, self.season)
        model.model_ = {"fit": None, **self.parameters}
        y = fill_gaps(outlook.since(self.start), self.season)
        forecast: Floats = model.forward(y=y, h=len(outlook.naive))["mean"]
        return forecast

    def effects(self, sample: Sample, names: Sequence[str]) -> list[Effect]:
        found = self.parameters["par"]
        if not isinstance(found, Mapping):  # of exponential smoothing: then come its first states
            found = dict(zip(ETS_PARAMETERS, found, strict=False))
        parameters = [Effect("parameter", name, float(value)) for name, value in found.items()]
        return [Effect("form", self._form, 1.0), *parameters]

    @property
    def _form(self) -> str:
        """What was chosen, such as ``ETS(A,Ad,M)``."""
        if "components" in self.parameters:
            error, trend, season, damped = self.parameters["components"]
            return f"ETS({error},{trend}{'d' if damped == 'D' else ''},{season})"
        if "seasontype" in self.parameters:
            return f"CES({self.parameters['seasontype']})"
        return str(self.parameters["modeltype"])


def fit_smoothing(sample: Sample, kind: str) -> FittedCandidate:
    """Fit the model ``kind`` of statsforecast; without a season where two are not in the sample.

    A handful of observations, or one value throughout, leaves nothing to fit: it is repeated.
    """
    recent = sample.y[-PERIODS_MAX:]
    if (~np.isnan(recent)).sum() < OBSERVATIONS_NEEDED or np.nanmax(recent) == np.nanmin(recent):
        return LastValue(len(recent))
    season = sample.season if len(recent) >= SEASONS_NEEDED * sample.season else 1
    with np.errstate(divide="ignore"):  # a variance with no degree of freedom left
        fitted = _model(kind, season).fit(fill_gaps(recent, season)).model_
    parameters = {name: fitted[name] for name in KEPT if name in fitted}
    start = sample.origin + 1 - len(recent)
    return Smoothing(kind, season, parameters, start, len(recent))


@dataclass(frozen=True, slots=True)
class LastValue:
    """Repeats the last value of the last ``memory`` periods."""

    memory: int

    def predict(self, outlook: Outlook) -> Floats:
        recent = outlook.history[-self.memory :]
        return np.full(len(outlook.naive), recent[~np.isnan(recent)][-1])


def fill_gaps(y: Floats, season: int) -> Floats:
    """``y`` (n,) with missing values from a season before, else on a line between neighbours."""
    missing = np.flatnonzero(np.isnan(y))
    if not len(missing):
        return y
    filled = y.copy()
    for at in missing:
        if at >= season > 1:
            filled[at] = filled[at - season]
    there = ~np.isnan(filled)
    return np.interp(np.arange(len(y)), np.flatnonzero(there), filled[there])


def _model(kind: str, season: int) -> Any:
    from statsforecast import models

    return getattr(models, kind)(season_length=season)


def _candidate(kind: str) -> Candidate:
    fit: Candidate = partial(fit_smoothing, kind=kind)
    return fit


fit_ets: Candidate = _candidate("AutoETS")
"""Exponential smoothing, its form chosen by AICc (Hyndman et al. 2002)."""

fit_theta: Candidate = _candidate("Theta")
"""The Theta method (Assimakopoulos & Nikolopoulos 2000)."""

fit_optimized_theta: Candidate = _candidate("DynamicOptimizedTheta")
"""Theta with its line chosen by the data, and changing with it (Fiorucci et al. 2016)."""

fit_ces: Candidate = _candidate("AutoCES")
"""Complex exponential smoothing (Svetunkov et al. 2022)."""
