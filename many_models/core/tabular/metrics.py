"""How good predictions of rows are: of numbers, and of classes with their probabilities.

Definitions as in scikit-learn. NaN where a figure is undefined.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from many_models.core.arrays import Floats, Ints

METRICS_OF: Mapping[str, tuple[str, ...]] = {
    "regression": ("mae", "rmse", "r2"),
    "classification": ("accuracy", "f1", "log_loss"),
}
"""Metrics of each problem, the default one first."""

HIGHER_IS_BETTER = frozenset(["r2", "accuracy", "f1"])
PROBABILITY_MIN = 1e-15  # of a class that came nonetheless


def measure_numbers(actual: Floats, predicted: Floats) -> dict[str, float]:
    """``mae`` and ``rmse`` in the target's unit, and ``r2``, of n predictions."""
    error = predicted - actual
    spread = float(((actual - actual.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else np.nan,
    }


def measure_classes(
    actual: Ints, predicted: Ints, probabilities: Floats | None, positive: int | None
) -> dict[str, float]:
    """``accuracy``, ``f1`` and ``log_loss`` (nats) of n predicted classes, numbers from 0.

    ``probabilities`` (n, K) are of all classes. F1 is that of the ``positive`` class, or else the
    mean over the classes that occur.
    """
    scored = (
        [positive] if positive is not None else np.union1d(actual, predicted).astype(int).tolist()
    )
    loss = np.nan
    if probabilities is not None:
        given = np.clip(probabilities[np.arange(len(actual)), actual], PROBABILITY_MIN, 1.0)
        loss = float(-np.log(given).mean())
    return {
        "accuracy": float((actual == predicted).mean()),
        "f1": float(np.mean([_f1(actual == c, predicted == c) for c in scored])),
        "log_loss": loss,
    }


def _f1(actual: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    hits, all_marked = int((actual & predicted).sum()), int(actual.sum() + predicted.sum())
    return 2 * hits / all_marked if all_marked else 0.0
