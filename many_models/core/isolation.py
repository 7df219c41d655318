"""One bad group never fails its neighbours: work on many groups at once, blame one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from many_models.core.dataset import Ints

Outcome = TypeVar("Outcome")


def run_isolated(
    groups: Ints,
    work: Callable[[Ints], dict[int, Outcome]],
    blame: Callable[[int, Exception], Outcome],
) -> dict[int, Outcome]:
    """Outcome of every group: ``work`` on all of them, or, where it raises, on each half in turn.

    ``blame`` makes the outcome of a group on which ``work`` raises even when it stands alone.
    """
    if not len(groups):
        return {}
    try:
        return work(groups)
    except Exception as error:  # whatever it is, it becomes the row of the group at fault
        if len(groups) == 1:
            return {int(groups[0]): blame(int(groups[0]), error)}
    first, second = np.array_split(groups, 2)
    return run_isolated(first, work, blame) | run_isolated(second, work, blame)
