"""Effects of models of rows: a linear model's coefficients, a tree's gains, other importances.

Any scikit-learn estimator may be asked; one that has nothing to tell has no effects.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from many_models.core.arrays import Floats
from many_models.core.estimator_effects import read_figures
from many_models.core.explanation import ModelEffect, rank, share_out
from many_models.core.forecast.candidates.effects import Effect

logger = logging.getLogger(__name__)


def explain(
    candidate: str, pipeline: Pipeline, columns: Sequence[str], classes: Sequence[str]
) -> tuple[ModelEffect, ...]:
    """Effects of a candidate fitted on features with these ``columns``, in their order.

    Coefficients are those of columns as the estimator sees them: the built-in encoding has numbers
    in units of their standard deviation, and a column for each category. ``classes`` are empty for
    a regression. Nothing where a foreign estimator tells nothing that could be understood.
    """
    try:
        effects = list(_effects(pipeline, columns, classes))
    except Exception as error:  # of a foreign estimator: no reason to lose its model
        logger.warning("candidate %s cannot be explained: %s", candidate, error)
        return ()
    return rank(share_out(candidate, effects))


def _effects(
    pipeline: Pipeline, columns: Sequence[str], classes: Sequence[str]
) -> Iterator[Effect]:
    model = pipeline.steps[-1][1]
    told = read_figures(model)
    if told is None:
        return
    kind, figures = told
    names = _names(pipeline, columns, figures.shape[1])
    for values_of_class, class_name in zip(figures, _classes(figures, model, classes), strict=True):
        for name, value in zip(names, values_of_class.tolist(), strict=True):
            yield Effect(kind, name, value, class_name=class_name)


def _classes(figures: Floats, model: Any, classes: Sequence[str]) -> list[str | None]:
    """The class that each row of figures speaks for: of two classes the second has the only row."""
    if not classes or not hasattr(model, "coef_"):
        return [None] * len(figures)
    known = [classes[number] for number in np.asarray(model.classes_, dtype=np.int64)]
    return [*known[-1:]] if len(figures) == 1 else [*known]


def _names(pipeline: Pipeline, columns: Sequence[str], count: int) -> list[str]:
    """Names of the ``count`` columns that the last step sees."""
    if len(pipeline.steps) == 1:
        return list(columns)
    encoder = pipeline.steps[0][1]
    if isinstance(encoder, Pipeline):
        encoder = encoder.steps[0][1]  # what follows it keeps the columns
    names = [str(name).partition("__")[2] for name in encoder.get_feature_names_out()]
    if len(names) != count:
        raise ValueError(f"{len(names)} columns are known, and it has figures of {count}")
    return names
