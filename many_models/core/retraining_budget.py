"""What retraining costs, by what it cost before, and how much of it a day may hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from many_models.core.retraining_causes import PartitionState
from many_models.core.retraining_requests import Request

PERIOD = timedelta(days=1)
CORE_SECONDS_A_GROUP = 1.0  # where nothing was ever trained, so nothing is known


class CostEstimate:
    """Core-seconds of training a partition: as the last time; new ones as the others."""

    def __init__(self, states: Sequence[PartitionState]) -> None:
        known = [s.training for s in states if s.training and s.training.groups]
        rates = [t.core_seconds / t.groups for t in known if t.core_seconds > 0]
        self._rate = median(rates) if rates else CORE_SECONDS_A_GROUP
        self._groups = median(t.groups for t in known) if known else 1.0

    def of(self, state: PartitionState) -> float:
        training = state.training
        if training is None or not training.groups or training.core_seconds <= 0:
            return self._rate * (state.groups or self._groups)
        return training.core_seconds * max(state.groups / training.groups, 1.0)


class Budget:
    """Core-minutes that requests may take within 24 hours, and what is left of them.

    Requests under way count by what they are expected to take, ended ones by what they took.
    """

    def __init__(
        self, core_minutes: float | None, history: Iterable[Request], now: datetime
    ) -> None:
        since = now - PERIOD
        self._core_minutes = core_minutes
        self.spent = sum(r.charge for r in history if r.is_open or r.requested_at > since)

    def count_affordable(self, core_seconds: Sequence[float]) -> int:
        """How many of the first fit into what is left.

        One that is too large for any day goes alone, as soon as nothing was spent.
        """
        if self._core_minutes is None:
            return len(core_seconds)
        budget, spent = 60 * self._core_minutes, self.spent
        if core_seconds and not spent and core_seconds[0] > budget:
            return 1
        for place, cost in enumerate(core_seconds):
            spent += cost
            if spent > budget:
                return place
        return len(core_seconds)

    def explain(self, core_seconds: float) -> str:
        """Why what takes this long has to wait."""
        return (
            f"it takes about {core_seconds / 60:,.1f} core-minutes; of the {self._core_minutes:g} "
            f"of 24 hours {self.spent / 60:,.1f} are spent, and others come before it"
        )
