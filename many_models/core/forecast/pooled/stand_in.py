"""The pooled model in batch scoring: stands in where a group has no model of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from many_models.core.arrays import Floats, Ints
from many_models.core.failure import Problem
from many_models.core.forecast.dataset import Dataset
from many_models.core.forecast.features import FeatureSpec
from many_models.core.forecast.panel import Panel
from many_models.core.forecast.pooled.model import PooledModel, load_pooled
from many_models.core.forecast.pooled.sampling import category_values
from many_models.core.forecast.use_case import UseCase

if TYPE_CHECKING:
    from many_models.core.scoring import Champion

POOLED_KEY = ""
"""Instead of a group's composite key, which is never empty."""


@dataclass(frozen=True)
class PooledStandIn:
    """The pooled model among a partition's ``champions``; read when it is first asked for."""

    champions: Mapping[str, Champion]
    use_case: UseCase
    origin: int

    @cached_property
    def champion(self) -> Champion | None:
        return self.champions.get(POOLED_KEY)

    def forecast(
        self, dataset: Dataset, groups: Ints, panel: Panel, features: Floats
    ) -> Floats | Problem | None:
        """Predictions and bounds (G, 1 + 2 L, H) of these groups, or why there are none.

        None where the partition has no pooled model. ``panel``, with its feature matrix, reaches
        one horizon beyond the origin.
        """
        if self.champion is None:
            return None
        try:
            values = [category_values(dataset, group) for group in groups.tolist()]
            levels = self.use_case.validation.all_levels
            return self._model.serve(panel, features, values, levels)
        except Exception as error:
            text = f"{self.champion.name}: {type(error).__name__}: {error}"
            return Problem("pooled_failed", text)

    def residuals(self, dataset: Dataset, groups: Ints, panel: Panel, features: Floats) -> Floats:
        """Forecast minus actual (G, F, H) in a backtest, where it has a ``forecast``."""
        values = [category_values(dataset, group) for group in groups.tolist()]
        return self._model.residuals(panel, features, values)

    @cached_property
    def _model(self) -> PooledModel:
        champion = self.champion
        if champion is None or champion.payload is None:
            raise ValueError(champion.error if champion else "there is none")
        model = load_pooled(champion.payload)
        if model.spec != FeatureSpec.of(self.use_case):
            raise ValueError("its features or its horizon are not the use case's; train it again")
        if model.origin > self.origin:
            raise ValueError("it has seen data after this forecast origin")
        return model
