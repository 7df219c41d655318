"""Predictions far outside of what a group has ever been: a model that has run away.

Here is how far outside a group is predicted, in units of its own history. Reading is the steps'.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats

LOWEST, HIGHEST = "lowest predicted", "highest predicted"
LEAST, MOST, OBSERVATIONS = "lowest seen", "highest seen", "observations seen"
OUTSIDE = "ranges outside"
"""Columns, named as no column of a source can be."""

OBSERVATIONS_MIN = 20  # a shorter history says too little of what is possible
FLAT_SHARE = 0.1  # of its level, which is the least range that a flat history counts as


def ranges_outside(predicted: tuple[Floats, Floats], history: tuple[Floats, Floats]) -> Floats:
    """How far predictions lie outside of history, in ranges of that history; 0 within.

    Both are lowest and highest values (G) in the target's unit.
    """
    (low, high), (least, most) = predicted, history
    level = np.maximum(np.abs(least), np.abs(most))
    unit = np.maximum(most - least, FLAT_SHARE * level)
    outside = np.maximum(np.maximum(high - most, least - low), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(outside == 0, 0.0, outside / unit)  # all zeros: infinitely far
    return found


def find_implausible(
    predicted: pa.Table, history: pa.Table, keys: list[str], *, most_ranges: float
) -> pa.Table:
    """Groups predicted more than ``most_ranges`` outside of their history, the farthest first.

    ``predicted`` has ``LOWEST`` and ``HIGHEST`` of each group of ``keys``, ``history`` its
    ``LEAST``, ``MOST`` and number of ``OBSERVATIONS``; the result has both and ``OUTSIDE``.
    """
    joined = predicted.join(history, keys=keys, join_type="inner")
    long_enough = pc.greater_equal(joined[OBSERVATIONS], OBSERVATIONS_MIN)
    known = joined.filter(pc.and_(long_enough, pc.is_valid(joined[LOWEST])))
    low, high, least, most = (
        known[name].to_numpy().astype(np.float64) for name in (LOWEST, HIGHEST, LEAST, MOST)
    )
    outside = ranges_outside((low, high), (least, most))
    marked = known.append_column(OUTSIDE, pa.array(outside))
    return marked.filter(pa.array(outside > most_ranges)).sort_by(
        [(OUTSIDE, "descending"), *((name, "ascending") for name in keys)]
    )
