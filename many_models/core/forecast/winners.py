"""Who wins the backtest in each group, by how much, and how sure its forecasts are.

All groups at once: figures of each candidate, the winners' residuals, their prediction intervals
and how much these cover. Fitting is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.forecast.backtest import Backtest
from many_models.core.forecast.candidates.ensemble import choose_winner
from many_models.core.forecast.intervals import calibrate, intervals_by_others
from many_models.core.forecast.metrics import Accuracy, measure, measure_coverage
from many_models.core.forecast.use_case import BASELINE, UseCase


@dataclass(frozen=True)
class Winners:
    """The winners of a backtest of ``G`` groups, by the use case's metric."""

    backtest: Backtest
    use_case: UseCase

    @cached_property
    def accuracies(self) -> dict[str, Accuracy]:
        """Figures of all groups, by candidate."""
        test, level = self.backtest, self.use_case.validation.interval
        floor = self.use_case.prediction_floor
        found = {}
        for name, forecast in test.forecasts.items():
            (interval,) = intervals_by_others(test.actual, forecast, (level,), floor)
            found[name] = measure(test.actual, forecast, test.scale, interval)
        return found

    def scores(self, index: int) -> dict[str, float]:
        """Scores of the candidates that have one on a group."""
        metric = self.use_case.validation.metric
        scores = {n: float(getattr(a, metric)[index]) for n, a in self.accuracies.items()}
        return {name: score for name, score in scores.items() if np.isfinite(score)}

    @cached_property
    def names(self) -> tuple[str | None, ...]:
        """The winner of each group (G); None where the baseline has no score to compare with."""
        return tuple(self._choose(index) for index in range(len(self.backtest.actual)))

    @cached_property
    def forecasts(self) -> Floats:
        """The winners' forecasts (G, F, H)."""
        found = np.full(self.backtest.actual.shape, np.nan)
        for index, name in enumerate(self.names):
            if name is not None:
                found[index] = self.backtest.forecasts[name][index]
        return found

    @cached_property
    def residuals(self) -> Floats:
        """Forecast minus actual (G, F, H) of the winners."""
        return self.forecasts - self.backtest.actual

    @cached_property
    def halfwidths(self) -> Floats:
        """Half widths (G, L, H) of the winners' intervals."""
        return calibrate(self.residuals, self.use_case.validation.all_levels)

    @cached_property
    def coverages(self) -> dict[str, Floats]:
        """Share (G) of actuals inside intervals from the other folds, by column of the ledger."""
        rules, actual = self.use_case.validation, self.backtest.actual
        floor = self.use_case.prediction_floor
        intervals = intervals_by_others(actual, self.forecasts, rules.all_levels, floor)
        shares = (measure_coverage(actual, interval) for interval in intervals)
        return dict(zip(rules.coverage_columns, shares, strict=True))

    def _choose(self, index: int) -> str | None:
        scores = self.scores(index)
        return choose_winner(scores, self._errors(index, scores)) if BASELINE in scores else None

    def _errors(self, index: int, names: Iterable[str]) -> dict[str, Floats]:
        """Absolute errors (F, H) of these candidates on one group."""
        actual = self.backtest.actual[index]
        return {name: np.abs(self.backtest.forecasts[name][index] - actual) for name in names}
