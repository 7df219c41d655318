"""The model of one group's rows: raw feature columns in, a number or a class out."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from many_models.core.arrays import Floats, Ints
from many_models.core.payload import load_payload
from many_models.core.tabular.dataset import Texts, as_features
from many_models.core.tabular.estimators import make_candidate
from many_models.core.tabular.use_case import TabularUseCase

Target = Floats | Ints


@dataclass(frozen=True)
class TabularModel:
    """Predicts rows of one group from the ``numeric`` and ``categorical`` columns.

    ``classes`` are what the estimator's numbers 0, 1, ... stand for, in order; empty for a
    regression. ``origin`` is the last day (since 1970) whose targets it has seen, of ``rows`` rows.
    """

    key: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    candidate: str
    estimator: Any
    classes: tuple[str, ...]
    origin: int
    rows: int

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predictions by the index of ``rows``; a null or a category never seen is no obstacle.

        Returns:
            ``prediction``: a number in the target's unit, or a class; of classes also
            ``probability``, the predicted one's (NaN where the estimator tells none), and
            ``probabilities``, those of all classes as JSON.

        Raises:
            ValueError: a feature column is missing or does not hold numbers.
        """
        features = as_features(rows, self.numeric, self.categorical)
        if not self.classes:
            found = predict_target(self.estimator, features)
            return pd.DataFrame({"prediction": found.astype(np.float64)}, index=rows.index)
        numbers = predict_target(self.estimator, features).astype(np.int64)
        shares = predict_probabilities(self.estimator, features, len(self.classes))
        names = np.array(self.classes, dtype=object)
        own = np.full(len(numbers), np.nan)
        texts = np.full(len(numbers), None, dtype=object)
        if shares is not None:
            own = shares[np.arange(len(numbers)), numbers]
            texts[:] = [self._as_json(row) for row in shares.tolist()]
        return pd.DataFrame(
            {"prediction": names[numbers], "probability": own, "probabilities": texts},
            index=rows.index,
        )

    def example(self) -> pd.DataFrame:
        """A row that ``predict`` accepts: zeros, and empty text."""
        return pd.DataFrame(
            {**{n: [0.0] for n in self.numeric}, **{n: [""] for n in self.categorical}}
        )

    def _as_json(self, shares: list[float]) -> str:
        return json.dumps({c: round(p, 6) for c, p in zip(self.classes, shares, strict=True)})


def fit_candidate(
    use_case: TabularUseCase, name: str, features: pd.DataFrame, target: Target
) -> Any:
    """The candidate of this name, fitted; classes are numbers from 0."""
    spec = next(candidate for candidate in use_case.candidates if candidate.name == name)
    estimator = make_candidate(
        spec.estimator,
        spec.parameters,
        use_case.problem,
        spec.encoding,
        (use_case.features.numeric, use_case.features.categorical),
        use_case.validation.holdout.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of no convergence, and the like: the score will tell
        return estimator.fit(features, target)


def predict_target(estimator: Any, features: pd.DataFrame) -> Target:
    """Numbers, or numbers of classes, of n rows, which may be none."""
    if features.empty:
        return np.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of categories never seen
        found: Target = np.asarray(estimator.predict(features)).reshape(-1)
    return found


def predict_probabilities(estimator: Any, features: pd.DataFrame, classes: int) -> Floats | None:
    """Probabilities (n, K) of all classes, zero for those it never saw; None if it tells none."""
    if not hasattr(estimator, "predict_proba"):
        return None
    if features.empty:
        return np.empty((0, classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = estimator.predict_proba(features)
    shares = np.zeros((len(features), classes))
    shares[:, np.asarray(estimator.classes_, dtype=np.int64)] = found
    return shares


def fit_baseline(
    use_case: TabularUseCase, key: tuple[str, ...], target: Floats | Texts, origin: int
) -> TabularModel:
    """The model that knows nothing but a group's targets: their mean, or the majority class."""
    classes, numbers = encode_classes(target, use_case)
    nothing = {n: [np.nan] * len(target) for n in use_case.features.numeric}
    texts = {n: [""] * len(target) for n in use_case.features.categorical}
    features = as_features(
        pd.DataFrame({**nothing, **texts}),
        use_case.features.numeric,
        use_case.features.categorical,
    )
    fitted = fit_candidate(use_case, use_case.baseline, features, numbers)
    return make_model(use_case, key, (use_case.baseline, fitted), classes, (origin, len(target)))


def make_model(
    use_case: TabularUseCase,
    key: tuple[str, ...],
    candidate: tuple[str, Any],
    classes: tuple[str, ...],
    seen: tuple[int, int],
) -> TabularModel:
    """A fitted ``candidate`` (name, estimator) that has ``seen`` targets (last day, rows)."""
    return TabularModel(
        key=key,
        numeric=use_case.features.numeric,
        categorical=use_case.features.categorical,
        candidate=candidate[0],
        estimator=candidate[1],
        classes=classes,
        origin=seen[0],
        rows=seen[1],
    )


def encode_classes(
    target: Floats | Texts, use_case: TabularUseCase
) -> tuple[tuple[str, ...], Target]:
    """The classes in order and the target as their numbers; a regression's target as it is."""
    if use_case.target_is_number:
        return (), target.astype(np.float64)
    classes, numbers = np.unique(target.astype(str), return_inverse=True)
    return tuple(classes.tolist()), numbers.astype(np.int64)


def make_specimen(use_case: TabularUseCase) -> TabularModel:
    """A model of no group that takes and returns the columns that all models of a use case do."""
    target = np.zeros(2) if use_case.target_is_number else np.array(["a", "b"], dtype=object)
    return fit_baseline(use_case, ("",) * len(use_case.keys), target, 0)


def load_model(payload: bytes) -> TabularModel:
    """Model from its pickle, which the caller has checked against its SHA-256 before."""
    return load_payload(payload, TabularModel)
