"""How one group was served at an origin: by what, why not by its own model, and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from many_models.core.arrays import Floats
from many_models.core.failure import Problem
from many_models.core.scoring import Champion


@dataclass(frozen=True, slots=True)
class GroupScore:
    """How one group was served: by its ``model``, the ``pooled``, the ``baseline``, or by ``none``.

    ``problem`` says why it was not the model; ``forecast`` (1 + 2 L, H) is the
    prediction, and the bounds in the order of ``validation.bound_columns``.
    ``residuals`` (F, H) are forecast minus actual of a backtest, where an inventory asks for them.
    """

    source: Literal["model", "pooled", "baseline", "none"]
    candidate: str | None
    problem: Problem | None
    forecast: Floats | None
    champion: Champion | None = None
    residuals: Floats | None = None
