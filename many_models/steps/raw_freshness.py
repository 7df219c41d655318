"""Freshness of the raw data: how far the lake reaches, by the data's own time."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from many_models.adapters.lake.tables import Lake
from many_models.core.lake_schema import WINDOW
from many_models.core.use_case import AnyUseCase


def newest_target(use_case: AnyUseCase, lake: Lake) -> datetime | None:
    """Last time with a target in ``raw_data``, None where there is none.

    Reads two columns of the newest window that has one: those ahead hold known features alone.
    """
    table, time, target = lake.raw_data(use_case), use_case.time.column, use_case.target
    windows = {
        file.partition[WINDOW]
        for file in table.snapshot().files
        if file.rows > file.nulls.get(target, 0)
    }
    newest: datetime | None = None
    for window in sorted(windows, reverse=True):
        there = ds.field(target).is_valid() & ds.field(time).is_valid()
        for batch in table.dataset([window]).to_batches(columns=[time], filter=there):
            if batch.num_rows:
                found = pc.max(batch[time].cast(pa.timestamp("us"))).as_py()
                newest = found if newest is None else max(newest, found)
        if newest is not None:
            break
    return newest
