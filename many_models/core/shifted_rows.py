"""Data drift of a shard: how far each group's columns have shifted since its champion's training.

Which rows are compared is in ``data_blocks``, how two stretches of time are in ``data_shift``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from many_models.core.arrays import Flags, Floats
from many_models.core.data_blocks import DataBlocks
from many_models.core.data_shift import Shift, measure_category_shift, measure_shift
from many_models.core.drift import critical_score
from many_models.core.use_case import AnyUseCase

SHIFT_SCHEMA = pa.schema(
    [
        ("group_key", pa.string()),
        ("target_shift", pa.float64()),
        ("feature_shift", pa.float64()),
        ("shifted_feature", pa.string()),
        ("shifted", pa.bool_()),
    ]
)


def measure_shifts(
    table: pa.Table,
    use_case: AnyUseCase,
    trained_through: Mapping[str, np.datetime64],
    data_through: np.datetime64,
) -> pa.Table:
    """Shift of target and features in every group of a shard that has a champion.

    ``table`` is sorted by key; ``trained_through`` is by composite key. Compared are the last
    ``drift.window`` periods, those after training, with the year up to it. The chance of a false
    alarm is shared out among a group's columns. Returns rows in ``SHIFT_SCHEMA``; a shift is null
    where fewer than two blocks have come since training, or the reference has fewer than eight.
    """
    rows = DataBlocks.read(table, use_case, trained_through, data_through)
    target = use_case.target
    columns = dict(rows.columns())
    tests = {name: len(parts) for name, parts in columns.items()}
    shared = max(sum(tests.values()) - tests[target], 1)
    chance = use_case.drift.significance / 2  # of a change in one of both directions
    critical = {n: critical_score(chance / (tests[n] if n == target else shared)) for n in tests}
    shifts = {
        name: measure_shift(parts[0]) if len(parts) == 1 else measure_category_shift(parts)
        for name, parts in columns.items()
    }
    beyond = {n: s.beyond(use_case.drift.shift, critical[n]) for n, s in shifts.items()}
    features = {name: shift for name, shift in shifts.items() if name != target}
    size, name = _largest(features, beyond, len(rows.keys))
    nobody = np.zeros(len(rows.keys), dtype=bool)
    found = pa.table(
        [
            pa.array(rows.keys, pa.string()),
            pa.array(shifts[target].size, from_pandas=True),
            pa.array(size, from_pandas=True),
            pa.array(name, pa.string()),
            pa.array(np.logical_or.reduce([nobody, *beyond.values()])),
        ],
        schema=SHIFT_SCHEMA,
    )
    return found.filter(pa.array(rows.has_champion))


def _largest(
    shifts: Mapping[str, Shift], beyond: Mapping[str, Flags], groups: int
) -> tuple[Floats, list[str | None]]:
    """Each group's feature that has shifted farthest, those first that did so significantly."""
    if not shifts:
        return np.full(groups, np.nan), [None] * groups
    names = list(shifts)
    sizes = np.stack([shifts[name].size for name in names])
    flags = np.stack([beyond[name] for name in names])
    rank = np.where(np.isnan(sizes), -1.0, np.abs(sizes) + 1e6 * flags)
    best = rank.argmax(axis=0)
    largest = sizes[best, np.arange(groups)]
    known = ~np.isnan(largest)
    return largest, [names[b] if k else None for b, k in zip(best, known, strict=True)]
