"""A forecast's candidates as its use case describes them: which there are, what they may be given.

Making candidates of descriptions is ``catalogue``'s.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from sklearn.base import is_regressor

from many_models.core.dotted_path import find_callable, make_estimator
from many_models.core.forecast.candidates.options import RidgeOptions
from many_models.core.named_estimator import NamedEstimator, check_names

BASELINE, POOLED = "seasonal_naive", "pooled"
BUILT_IN = (
    BASELINE,
    "mean",
    "median",
    "ridge",
    "gradient_boosting",
    "ets",
    "theta",
    "optimized_theta",
    "ces",
    "croston",
    "sba",
    "tsb",
    POOLED,
)
RESERVED = ("ensemble_median", "ensemble_weighted")


class ForecastCandidate(NamedEstimator):
    """One of ``BUILT_IN``, of which ``ridge`` takes ``RidgeOptions``, or a regressor's dotted path.

    A regressor gets ridge's terms, imputed and scaled; a Pipeline gets them as they are.
    """

    @property
    def is_path(self) -> bool:
        """Whether the estimator is a dotted path, not one of ``BUILT_IN``."""
        return "." in self.estimator

    @property
    def ridge_options(self) -> RidgeOptions:
        """What ``ridge`` is given.

        Raises:
            ValueError: it takes no such thing.
        """
        try:
            return RidgeOptions.model_validate(self.parameters)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"][:1])
            message = first["msg"].removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                message = f"unknown; there are {', '.join(RidgeOptions.model_fields)}"
            raise ValueError(
                f"ridge cannot be made with {self.parameters}: {place}: {message}"
            ) from error

    def check(self) -> None:
        """Whether a candidate of this description can be made.

        Raises:
            ValueError: it cannot; says why.
        """
        path = self.estimator
        if self.is_path:
            estimator = make_estimator(path, find_callable(path), self.parameters)
            if not is_regressor(estimator):
                kind = type(estimator).__name__
                raise ValueError(f"{path} makes a {kind}, which is no regressor")
        elif path not in BUILT_IN:
            raise ValueError(
                f"{path!r} is unknown; there are {', '.join(BUILT_IN)}, or write an estimator's "
                "dotted path, such as sklearn.ensemble.RandomForestRegressor"
            )
        elif path == "ridge":
            _ = self.ridge_options
        elif self.parameters:
            raise ValueError(f"{path} cannot be made with {self.parameters}: it takes nothing")


def check_candidates(candidates: Sequence[ForecastCandidate]) -> None:
    """Whether all can be made, have names of their own, and the baseline is among them.

    Raises:
        ValueError: not so; says which one is wrong.
    """
    check_names(candidates, BASELINE)
    for place, candidate in enumerate(candidates):
        as_pooled = candidate.name == POOLED, candidate.estimator == POOLED
        if any(as_pooled) and not all(as_pooled):
            raise ValueError(f"candidates.{place}: only {POOLED!r} itself has the name {POOLED!r}")
        if candidate.name in RESERVED or candidate.name == BASELINE != candidate.estimator:
            raise ValueError(
                f"candidates.{place}: {candidate.name!r} is a name of the platform's own; give "
                "another"
            )
        try:
            candidate.check()
        except ValueError as error:
            raise ValueError(f"candidates.{place}.estimator: {error}") from error
