"""Estimators by dotted path: finding what makes them, making and seeding them.

Any scikit-learn estimator or Pipeline, of any package that is installed. What it is good for is not
known here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import StringConstraints
from sklearn.base import BaseEstimator

EstimatorPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]


def find_callable(path: str) -> Callable[..., Any]:
    """The class or function at a dotted path.

    Raises:
        ValueError: there is none.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{path!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ValueError(f"{path!r} is a {type(found).__name__}, not a class or a function")
    result: Callable[..., Any] = found
    return result


def make_estimator(path: str, make: Callable[..., Any], given: Mapping[str, Any]) -> BaseEstimator:
    """What ``make``, known as ``path``, makes of the parameters ``given``.

    Raises:
        ValueError: it makes nothing of them, or no estimator.
    """
    try:
        estimator = make(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be made with {dict(given)}: {error}") from error
    if not isinstance(estimator, BaseEstimator):
        raise ValueError(f"{path} makes a {type(estimator).__name__}, not an estimator")
    return estimator


def seed_estimator(estimator: BaseEstimator, seed: int) -> BaseEstimator:
    """The estimator itself; whatever in it draws at random now does so from ``seed``.

    What has a seed of its own keeps it.
    """
    seeds = {n: seed for n, v in estimator.get_params().items() if _is_open_seed(n, v)}
    return estimator.set_params(**seeds)


def _is_open_seed(name: str, value: object) -> bool:
    return name.rpartition("__")[2] == "random_state" and value is None
