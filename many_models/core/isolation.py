"""Many groups at once, but no more than memory bears, and one bad group fails alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from many_models.core.arrays import Ints

Outcome = TypeVar("Outcome")

PERIODS_AT_ONCE = 250_000  # a feature matrix of some 100 MB


def run_isolated(
    groups: Ints,
    periods: Ints,
    work: Callable[[Ints], dict[int, Outcome]],
    blame: Callable[[int, Exception], Outcome],
    groups_at_once: int | None = None,
) -> dict[int, Outcome]:
    """Outcome of every group: of ``work`` on a batch, or, where it raises, on each half in turn.

    A batch is full when its groups span ``PERIODS_AT_ONCE`` by ``periods``, the length of each: a
    shard is sized by its rows, which say little of a group that sells once a month. Nor does it
    have more than ``groups_at_once``, if given. ``blame`` makes the outcome of a group on which
    ``work`` raises even when it stands alone.
    """
    batch = np.cumsum(periods) // PERIODS_AT_ONCE
    if groups_at_once:
        batch = batch * len(groups) + np.arange(len(groups)) // groups_at_once
    outcomes: dict[int, Outcome] = {}
    for members in np.split(groups, np.flatnonzero(np.diff(batch)) + 1):
        outcomes |= _run_halved(members, work, blame)
    return outcomes


def _run_halved(
    groups: Ints,
    work: Callable[[Ints], dict[int, Outcome]],
    blame: Callable[[int, Exception], Outcome],
) -> dict[int, Outcome]:
    if not len(groups):
        return {}
    try:
        return work(groups)
    except Exception as error:  # whatever it is, it becomes the row of the group at fault
        if len(groups) == 1:
            return {int(groups[0]): blame(int(groups[0]), error)}
    first, second = np.array_split(groups, 2)
    return _run_halved(first, work, blame) | _run_halved(second, work, blame)
