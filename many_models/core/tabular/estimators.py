"""Candidates for independent rows: the estimator that a name or a dotted path means.

Categories and missing values are dealt with inside the Pipeline, so that a model takes raw rows.
Choosing between candidates is ``training``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from many_models.core.dotted_path import find_callable, make_estimator, seed_estimator

TabularProblem = Literal["regression", "classification"]
Encoding = Literal["one_hot", "ordinal", "none"]

BASELINES: Mapping[str, str] = {"regression": "mean", "classification": "majority_class"}
CATEGORIES_MAX = 64  # columns that one category may take; the rarest share one
CODES_MAX = 254  # what a histogram of gradient boosting can tell apart
_TREES: Mapping[str, Any] = {
    "max_iter": 100,
    "max_leaf_nodes": 15,
    "learning_rate": 0.07,
    "l2_regularization": 1.0,
    "early_stopping": False,
}
_Maker = tuple[Callable[..., Any], Mapping[str, Any], Encoding]
_BUILT_IN: Mapping[str, Mapping[str, _Maker]] = {
    "regression": {
        "mean": (DummyRegressor, {}, "none"),
        "ridge": (Ridge, {}, "one_hot"),
        "gradient_boosting": (HistGradientBoostingRegressor, _TREES, "ordinal"),
    },
    "classification": {
        "majority_class": (DummyClassifier, {"strategy": "prior"}, "none"),
        "logistic": (LogisticRegression, {"max_iter": 500}, "one_hot"),
        "gradient_boosting": (HistGradientBoostingClassifier, _TREES, "ordinal"),
    },
}


def built_in_names(problem: TabularProblem) -> tuple[str, ...]:
    """Names of the candidates that come with the platform, the baseline first."""
    return tuple(_BUILT_IN[problem])


def check_estimator(
    path: str, parameters: Mapping[str, Any], problem: TabularProblem, encoding: Encoding | None
) -> None:
    """Whether a candidate of this description can be made.

    Raises:
        ValueError: it cannot; says why.
    """
    estimator, _ = _make(path, parameters, problem, encoding)
    try:
        getattr(estimator, "_validate_params", bool)()  # what fit would do first
    except ValueError as error:
        raise ValueError(f"{path} cannot be made with {dict(parameters)}: {error}") from error
    if not (is_classifier if problem == "classification" else is_regressor)(estimator):
        kind = "classifier" if problem == "classification" else "regressor"
        raise ValueError(f"{path} makes a {type(estimator).__name__}, which is no {kind}")


def make_candidate(
    path: str,
    parameters: Mapping[str, Any],
    problem: TabularProblem,
    encoding: Encoding | None,
    columns: tuple[Sequence[str], Sequence[str]],
    seed: int,
) -> Pipeline:
    """A Pipeline that takes a frame with the numeric and categorical ``columns``.

    Whatever in it draws at random does so from ``seed``, unless the parameters say otherwise.
    """
    numeric, categorical = columns
    estimator, chosen = _make(path, parameters, problem, encoding)
    steps: list[tuple[str, Any]] = [("model", estimator)]
    if chosen != "none":
        encoder = _one_hot if chosen == "one_hot" else _ordinal
        steps.insert(0, ("columns", encoder(list(numeric), list(categorical))))
        if path == "gradient_boosting":
            estimator.set_params(categorical_features=list(range(len(categorical))))
    pipeline = Pipeline(steps)
    seed_estimator(pipeline, seed)
    return pipeline


def _make(
    path: str, parameters: Mapping[str, Any], problem: TabularProblem, encoding: Encoding | None
) -> tuple[Any, Encoding]:
    make, defaults, usual = _maker(path, problem)
    estimator = make_estimator(path, make, {**defaults, **parameters})
    return estimator, encoding or usual


def _maker(path: str, problem: TabularProblem) -> _Maker:
    """What makes the estimator, with which parameters by default, and how it takes columns."""
    if "." in path:
        return find_callable(path), {}, "one_hot"
    if path not in _BUILT_IN[problem]:
        raise ValueError(
            f"{path!r} is unknown; for {problem} there are {', '.join(_BUILT_IN[problem])}, or "
            "write an estimator's dotted path, such as sklearn.ensemble.RandomForestClassifier"
        )
    return _BUILT_IN[problem][path]


def _one_hot(numeric: list[str], categorical: list[str]) -> ColumnTransformer:
    """A column for each category, none for one never seen; numbers imputed, flagged and scaled."""
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=CATEGORIES_MAX, sparse_output=False
    )
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numbers = make_pipeline(imputer, StandardScaler())
    return ColumnTransformer([("text", encoder, categorical), ("numbers", numbers, numeric)])


def _ordinal(numeric: list[str], categorical: list[str]) -> Pipeline:
    """Categories as codes, first; unseen and missing ones are missing, and so are numbers."""
    nothing = float("nan")
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=nothing,
        encoded_missing_value=nothing,
        max_categories=CODES_MAX,
    )
    columns = [("text", encoder, categorical), ("numbers", "passthrough", numeric)]
    return make_pipeline(ColumnTransformer(columns, sparse_threshold=0), ZeroWhereEmpty())


class ZeroWhereEmpty(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns that held no value at all in training are zero: scikit-learn's trees refuse them."""

    def fit(self, x: NDArray[np.float64], y: object = None) -> ZeroWhereEmpty:
        self.empty_ = np.isnan(x).all(axis=0)
        return self

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(self.empty_, 0.0, x)
