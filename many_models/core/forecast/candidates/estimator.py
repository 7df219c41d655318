"""Any scikit-learn regressor or Pipeline as a candidate, by its dotted path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from many_models.core.arrays import Floats
from many_models.core.dotted_path import find_callable, make_estimator, seed_estimator
from many_models.core.estimator_effects import read_figures
from many_models.core.forecast.candidates.effects import Effect
from many_models.core.forecast.candidates.port import Outlook, Sample
from many_models.core.forecast.candidates.terms import Terms

SEED = 0


@dataclass(frozen=True)
class FittedEstimator:
    """A fitted Pipeline of scikit-learn that takes terms."""

    terms: Terms
    pipeline: Pipeline

    memory = 0

    def predict(self, outlook: Outlook) -> Floats:
        with threadpool_limits(1):
            found = self.pipeline.predict(self.terms.of_future(outlook))
        return np.asarray(found, dtype=np.float64).reshape(len(outlook.x))

    def effects(self, sample: Sample, names: Sequence[str]) -> list[Effect]:
        """Figures of the terms, which are scaled unless a Pipeline takes them as they are."""
        told, terms = read_figures(self.pipeline.steps[-1][1]), self.terms.name(names)
        if told is None or told[1].shape != (1, len(terms)):  # its own steps made other columns
            return []
        kind, figures = told
        return [Effect(kind, *row) for row in zip(terms, figures[0].tolist(), strict=True)]


def fit_estimator(sample: Sample, path: str, parameters: Mapping[str, Any]) -> FittedEstimator:
    """What ``path`` makes of ``parameters``, fitted on the terms that ridge has.

    Missing terms are imputed and all are scaled, except for a Pipeline, which gets them as they
    are: NaN where missing. Whatever draws at random does so from a fixed seed.
    """
    terms = Terms.of(sample, trend=True, interactions=True, log=False)
    there = ~np.isnan(sample.y)
    estimator = make_estimator(path, find_callable(path), parameters)
    if not isinstance(estimator, Pipeline):
        estimator = make_pipeline(
            SimpleImputer(keep_empty_features=True), StandardScaler(), estimator
        )
    seed_estimator(estimator, SEED)
    with threadpool_limits(1):  # groups share the cores already, and sums keep their order
        estimator.fit(terms.of_past(sample)[there], sample.y[there])
    return FittedEstimator(terms, estimator)
