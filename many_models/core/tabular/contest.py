"""Candidates on one group's rows: which one is chosen, and how good all are on unseen rows.

Rows are divided twice by the same rule. Candidates are chosen on rows held out of those that they
learn from; then all are measured on the holdout proper, which had no say in the choice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from many_models.core.arrays import Flags, Ints
from many_models.core.failure import Problem, describe_error
from many_models.core.tabular.holdout import choose_holdout
from many_models.core.tabular.metrics import measure_classes, measure_numbers
from many_models.core.tabular.model import (
    TabularModel,
    Target,
    fit_candidate,
    predict_probabilities,
    predict_target,
)
from many_models.core.tabular.use_case import Holdout, TabularUseCase

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Contest:
    """The n rows of one group that have a target, in order of time.

    ``classes`` are what the numbers in ``target`` stand for, empty for a regression; ``errors``
    gathers those of candidates that fail, by name.
    """

    use_case: TabularUseCase
    features: pd.DataFrame
    target: Target
    classes: tuple[str, ...]
    times: NDArray[np.datetime64]
    errors: dict[str, Problem] = field(default_factory=dict)

    def hold_out(self) -> Flags:
        """The rows (n) that candidates are judged on."""
        everything = np.arange(len(self.target))
        return self._hold_out(everything, self.use_case.validation.holdout)

    def measure(self, held: Flags) -> Figures:
        """Metrics of each candidate on the rows held out, learnt from the others."""
        return self._measure(np.flatnonzero(~held), np.flatnonzero(held))

    def rate(self, held: Flags) -> dict[str, float]:
        """The metric of each candidate by rows that were not held out alone.

        Empty where those cannot be divided once more.
        """
        rows, rules = np.flatnonzero(~held), self.use_case.validation.holdout
        again = self._hold_out(rows, Holdout(by=rules.by, share=rules.share, seed=rules.seed))
        if again.all() or not again.any():
            return {}
        figures = self._measure(rows[~again], rows[again])
        return {name: found[self.use_case.metric] for name, found in figures.items()}

    def choose(self, ratings: dict[str, float], figures: Figures) -> str:
        """The best rated of those that could be measured; the baseline where others equal it."""
        metric, baseline = self.use_case.metric, self.use_case.baseline
        sign = -1 if self.use_case.higher_is_better else 1
        usable = {
            name: sign * rating
            for name, rating in ratings.items()
            if np.isfinite(rating) and np.isfinite(figures.get(name, {}).get(metric, np.nan))
        }
        return min(usable, key=lambda name: (usable[name], name != baseline), default=baseline)

    def _hold_out(self, rows: Ints, rules: Holdout) -> Flags:
        strata = self.target[rows].astype(np.int64) if self.classes else None
        return choose_holdout(self.times[rows], strata, rules)

    def _measure(self, learnt: Ints, judged: Ints) -> Figures:
        figures: Figures = {}
        for name in self.use_case.candidate_names:
            try:
                figures[name] = self.measure_candidate(name, learnt, judged)
            except Exception as error:  # a candidate's own failure; the others go on
                self.errors[name] = describe_error("candidate_failed", error)
        return figures

    def measure_candidate(self, name: str, learnt: Ints, judged: Ints) -> dict[str, float]:
        """Metrics of a candidate on some rows, learnt from others."""
        fitted = fit_candidate(self.use_case, name, self.features.iloc[learnt], self.target[learnt])
        return self._judge(fitted, self.classes, judged)

    def measure_model(self, model: TabularModel, judged: Ints) -> dict[str, float]:
        """Metrics of a model of these rows' group on some of them, whatever classes it knows."""
        return self._judge(model.estimator, model.classes, judged)

    def _judge(self, fitted: Any, known: tuple[str, ...], judged: Ints) -> dict[str, float]:
        """``known`` are the classes that the numbers of ``fitted`` stand for."""
        unseen, actual = self.features.iloc[judged], self.target[judged]
        predicted = predict_target(fitted, unseen)
        if not self.classes:
            return measure_numbers(actual.astype(np.float64), predicted.astype(np.float64))
        classes = (*self.classes, *(name for name in known if name not in self.classes))
        places = np.array([classes.index(name) for name in known])
        shares = predict_probabilities(fitted, unseen, len(known))
        if shares is not None:
            found, shares = shares, np.zeros((len(judged), len(classes)))
            shares[:, places] = found
        return measure_classes(
            actual.astype(np.int64),
            places[predicted.astype(np.int64)],
            shares,
            self._positive(classes),
        )

    def _positive(self, classes: tuple[str, ...]) -> int | None:
        """Number of the class that F1 is about; one that no row has is never found."""
        positive = self.use_case.validation.positive_class
        if positive is None:
            return None
        return classes.index(positive) if positive in classes else len(classes)
