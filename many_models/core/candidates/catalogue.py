"""Which candidates there are, by the name that a use case gives them."""

from __future__ import annotations

from many_models.core.candidates.baseline import fit_seasonal_naive
from many_models.core.candidates.port import Candidate
from many_models.core.candidates.ridge import fit_ridge
from many_models.core.candidates.trees import fit_gradient_boosting

CANDIDATES: dict[str, Candidate] = {
    "seasonal_naive": fit_seasonal_naive,
    "ridge": fit_ridge,
    "gradient_boosting": fit_gradient_boosting,
}
