"""What a fitted scikit-learn estimator tells of its columns, whoever made it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.candidates.effects import EffectKind

logger = logging.getLogger(__name__)


def read_figures(model: Any) -> tuple[EffectKind, Floats] | None:
    """Kind and figures (k, p) of the ``p`` columns that it was fitted on; None if it tells none.

    ``k`` is 1, or the number of classes of a classifier with a row of coefficients for each.
    """
    try:
        return next(_told(model), None)
    except Exception:  # of a foreign estimator: its model is good for all that
        logger.warning("what %s tells cannot be read", type(model).__name__, exc_info=True)
        return None


def _told(model: Any) -> Iterator[tuple[EffectKind, Floats]]:
    told: tuple[tuple[EffectKind, Any], ...] = (
        ("coefficient", getattr(model, "coef_", None)),
        ("importance", getattr(model, "feature_importances_", None)),
        ("gain", _gains(model)),
    )
    for kind, values in told:
        if values is not None:
            yield kind, np.atleast_2d(np.asarray(values, dtype=np.float64))


def _gains(model: Any) -> Floats | None:
    """Gains of the splits by each feature in scikit-learn's histogram gradient boosting.

    It keeps them in its trees, but tells them nowhere.
    """
    iterations = getattr(model, "_predictors", None)
    if iterations is None:
        return None
    gains = np.zeros(model.n_features_in_)
    for tree in (tree for trees in iterations for tree in trees):
        splits = tree.nodes[tree.nodes["is_leaf"] == 0]
        np.add.at(gains, splits["feature_idx"], splits["gain"])
    return gains
