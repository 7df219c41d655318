"""Which groups that were skipped for too little data have enough by now, by what the ledger knows.

An estimate, so that no data need be read: a group is taken to have gone on at the rate at which it
had rows before. The training that follows finds out, and the next estimate begins with what it
writes into the ledger; a group that has stopped is asked for ever more rarely.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from many_models.core.arrays import Ints
from many_models.core.forecast.backtest import history_needed
from many_models.core.forecast.use_case import UseCase
from many_models.core.tabular.use_case import TabularUseCase
from many_models.core.use_case import AnyUseCase

REASONS = ("too_few_observations", "too_few_rows", "history_too_short")
"""Reasons in the ledger that more data alone puts right."""


def has_enough(
    use_case: AnyUseCase,
    *,
    observations: Ints,
    first_time: NDArray[np.datetime64],
    trained_through: NDArray[np.datetime64],
    through: np.datetime64,
) -> NDArray[np.bool_]:
    """Of each skipped group (G), whether it has enough observations and history at ``through``.

    ``observations`` are those that it had at ``trained_through``; False without any data since.
    """
    to_period = use_case.frequency.to_period
    first, before = to_period(first_time), to_period(trained_through)
    now = to_period(np.array([through], dtype="datetime64[us]"))[0]
    spanned, span = np.maximum(before + 1 - first, 1), now + 1 - first
    expected = observations * span / spanned
    enough = (expected >= _least(use_case)) & (now > before)
    if isinstance(use_case, UseCase):
        enough &= span >= history_needed(use_case) + use_case.horizon
    return np.asarray(enough, dtype=np.bool_)


def _least(use_case: AnyUseCase) -> int:
    if isinstance(use_case, TabularUseCase):
        return use_case.validation.min_rows
    assert isinstance(use_case, UseCase)
    return use_case.validation.min_observations
