"""A group as a person should see it: its history, what its winner forecast, what its model does.

Kept for a few groups only, to be drawn. Which these are is ``worst_groups``'s to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Floats
from many_models.core.forecast.backtest import Backtest
from many_models.core.forecast.panel import Panel

HORIZONS_BEFORE = 2
"""How much history is kept before the oldest fold's origin."""


@dataclass(frozen=True, slots=True)
class CloseUp:
    """One group at the forecast ``origin``, a period's number; values in the target's unit.

    ``history`` (T) ends at the origin, with NaN where the target is missing. ``backtest`` (F, H) is
    what the winner forecast from each of ``fold_origins`` (F), the latest first. ``prediction``,
    ``lower`` and ``upper`` (H) are the final model's; all empty where it could not forecast.
    """

    origin: int
    history: Sequence[float]
    fold_origins: Sequence[int]
    backtest: Sequence[Sequence[float]]
    prediction: Sequence[float] = ()
    lower: Sequence[float] = ()
    upper: Sequence[float] = ()


_FLOATS = pa.list_(pa.float64())
CLOSEUP_TYPE = pa.struct(
    [
        ("origin", pa.int64()),
        ("history", _FLOATS),
        ("fold_origins", pa.list_(pa.int64())),
        ("backtest", pa.list_(_FLOATS)),
        ("prediction", _FLOATS),
        ("lower", _FLOATS),
        ("upper", _FLOATS),
    ]
)


def close_up(panel: Panel, index: int, backtest: Backtest, forecasts: Floats) -> CloseUp:
    """The ``index``-th group of a panel, whose winner's ``forecasts`` (F, H) the backtest has."""
    judged = np.isfinite(forecasts).all(axis=1)
    origins = backtest.origins[judged]
    horizon = forecasts.shape[1]
    oldest = int(origins.min()) if len(origins) else panel.origin
    periods = panel.origin - oldest + HORIZONS_BEFORE * horizon
    start, end = panel.offsets[index : index + 2].tolist()
    return CloseUp(
        origin=panel.origin,
        history=panel.target[max(start, end - periods) : end].tolist(),
        fold_origins=origins.tolist(),
        backtest=forecasts[judged].tolist(),
    )
