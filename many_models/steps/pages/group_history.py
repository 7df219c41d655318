"""What happened to one group, from the lake: recent values on an unbroken grid, or recent rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from many_models.adapters.lake.group_histories import GroupHistories
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import parse_group_key
from many_models.core.use_case import AnyUseCase

HORIZONS_SHOWN = 6
PERIODS_MIN, PERIODS_MAX = 60, 730
ROWS_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Values of a series period by period, NaN where one is missing."""

    times: NDArray[np.datetime64]
    values: NDArray[np.float64]


def read_rows(
    use_case: AnyUseCase, histories: GroupHistories, key: str, partition: str
) -> pa.Table:
    """All rows of a group that have a target.

    Raises:
        LakeError: the grouped datasets cannot be read.
    """
    rows = histories.of(parse_group_key(key, use_case.keys), partition).rows
    return rows.filter(pc.is_valid(rows[use_case.target]))


def on_grid(use_case: UseCase, rows: pa.Table, through: datetime | None = None) -> Grid:
    """The last periods of a group's rows; gaps are filled with zeros where the use case says so."""
    periods = use_case.frequency.to_period(rows[use_case.time.column].to_numpy())
    values = rows[use_case.target].to_numpy()
    if not len(periods):
        return Grid(np.array([], "datetime64[us]"), np.array([]))
    last = int(periods.max())
    if through is not None and use_case.gaps == "zero":
        last = max(
            last, int(use_case.frequency.to_period(np.array([through], "datetime64[us]"))[0])
        )
    shown = min(max(HORIZONS_SHOWN * use_case.horizon, PERIODS_MIN), PERIODS_MAX)
    first = max(int(periods.min()), last + 1 - shown)
    found = np.full(last + 1 - first, 0.0 if use_case.gaps == "zero" else np.nan)
    kept = periods >= first
    found[periods[kept] - first] = values[kept]
    return Grid(use_case.frequency.to_time(np.arange(first, last + 1)), found)


def recent_rows(use_case: AnyUseCase, rows: pa.Table) -> pa.Table:
    """Time and target of the last rows, the oldest first."""
    chosen = rows.select([use_case.time.column, use_case.target])
    ordered = chosen.sort_by(use_case.time.column)
    return ordered.slice(max(0, len(ordered) - ROWS_SHOWN))
