"""Which candidates there are, by the name that a use case gives them."""

from __future__ import annotations

from many_models.core.candidates.baseline import fit_seasonal_naive
from many_models.core.candidates.intermittent import fit_croston, fit_sba, fit_tsb
from many_models.core.candidates.level import fit_mean, fit_median
from many_models.core.candidates.port import Candidate
from many_models.core.candidates.ridge import fit_ridge
from many_models.core.candidates.smoothing import (
    fit_ces,
    fit_ets,
    fit_optimized_theta,
    fit_theta,
)
from many_models.core.candidates.trees import fit_gradient_boosting

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
