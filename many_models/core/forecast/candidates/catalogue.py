"""Which candidates there are, and which one a use case means by a name."""

from __future__ import annotations

from functools import partial

from many_models.core.forecast.candidates.baseline import fit_seasonal_naive
from many_models.core.forecast.candidates.description import ForecastCandidate
from many_models.core.forecast.candidates.estimator import fit_estimator
from many_models.core.forecast.candidates.intermittent import fit_croston, fit_sba, fit_tsb
from many_models.core.forecast.candidates.level import fit_mean, fit_median
from many_models.core.forecast.candidates.port import Candidate
from many_models.core.forecast.candidates.ridge import fit_ridge
from many_models.core.forecast.candidates.smoothing import (
    fit_ces,
    fit_ets,
    fit_optimized_theta,
    fit_theta,
)
from many_models.core.forecast.candidates.trees import fit_gradient_boosting

CANDIDATES: dict[str, Candidate] = {
    "seasonal_naive": fit_seasonal_naive,
    "mean": fit_mean,
    "median": fit_median,
    "ridge": fit_ridge,
    "gradient_boosting": fit_gradient_boosting,
    "ets": fit_ets,
    "theta": fit_theta,
    "optimized_theta": fit_optimized_theta,
    "ces": fit_ces,
    "croston": fit_croston,
    "sba": fit_sba,
    "tsb": fit_tsb,
}


def find_candidate(name: str, described: tuple[ForecastCandidate, ...]) -> Candidate:
    """The candidate of that name: one of those ``described``, else one of ``CANDIDATES``."""
    for description in described:
        if description.name == name:
            return make_candidate(description)
    return CANDIDATES[name]


def make_candidate(description: ForecastCandidate) -> Candidate:
    path, parameters = description.estimator, description.parameters
    if description.is_path:
        return partial(fit_estimator, path=path, parameters=parameters)
    if path == "ridge" and parameters:
        return partial(fit_ridge, options=description.ridge_options)
    return CANDIDATES[path]
