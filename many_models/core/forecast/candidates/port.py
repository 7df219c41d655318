"""What a candidate is: it fits on one group's past and gives something that forecasts its future.

A fitted candidate is a small picklable object. It may look at the features of the periods ahead, at
the seasonal naive forecast, and at the target through the forecast origin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from many_models.core.arrays import Flags, Floats


@dataclass(frozen=True)
class Sample:
    """What a candidate learns from: ``n`` periods of one group without a gap, through the origin.

    ``x`` (n, p) are features, ``y`` (n,) the target, NaN where missing; ``linear`` (p,) marks the
    features that a linear model takes; ``season`` and ``horizon`` count periods; ``origin`` is the
    number of the last period. ``lagged`` numbers the features made from the past of the target or
    of other columns, ``rare`` those that are hardly ever other than zero, ``crossed`` pairs of
    features whose products a linear model may want.
    """

    x: Floats
    y: Floats
    linear: Flags
    season: int
    horizon: int
    origin: int
    lagged: tuple[int, ...] = ()
    rare: tuple[int, ...] = ()
    crossed: tuple[tuple[int, int], ...] = ()

    def observed(self) -> tuple[Floats, Floats]:
        """Features and target of the periods whose target is there."""
        there = ~np.isnan(self.y)
        return self.x[there], self.y[there]


@dataclass(frozen=True)
class Outlook:
    """What is known at a forecast origin of the ``H`` periods after it.

    ``x`` (H, p) are their features, ``naive`` (H,) their seasonal naive forecast, ``history`` (T,)
    is the target of the last T periods through the period ``origin``, NaN where missing.
    """

    x: Floats
    naive: Floats
    history: Floats
    origin: int

    def since(self, start: int) -> Floats:
        """The target from period ``start`` through the origin."""
        return self.history[max(len(self.history) - (self.origin + 1 - start), 0) :]


class FittedCandidate(Protocol):
    """A fitted model of one group."""

    @property
    def memory(self) -> int:
        """Periods of the target through the origin that a forecast looks at."""
        ...

    def predict(self, outlook: Outlook) -> Floats:
        """Forecast (H,) of the periods after an origin, in the target's unit."""
        ...


Candidate = Callable[[Sample], FittedCandidate]
"""Fits on one group's past; raises where it cannot."""


@dataclass(frozen=True)
class Foretold:
    """A forecast (H,) that was made before, for many groups at once; a backtest judges it."""

    values: Floats
    memory: int = 0

    def predict(self, outlook: Outlook) -> Floats:
        return self.values


def forecast(fitted: FittedCandidate, outlook: Outlook, floor: float | None) -> Floats:
    """Forecast (H,), nowhere below ``floor``: what a backtest judges and what is served alike.

    Raises:
        ValueError: it is not finite.
    """
    prediction = fitted.predict(outlook)
    if not np.isfinite(prediction).all():
        raise ValueError("the forecast is not finite")
    return prediction if floor is None else np.maximum(prediction, floor)
