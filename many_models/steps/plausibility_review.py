"""Predictions of one origin beside each group's history in the grouped datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from many_models.adapters.lake.tables import Lake
from many_models.core.plausibility import (
    HIGHEST,
    LEAST,
    LOWEST,
    MOST,
    OBSERVATIONS,
    find_implausible,
)
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results

WORST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Plausibility:
    """Groups that were predicted, those far outside of their history, and the worst of these."""

    groups: int
    implausible: int
    worst: tuple[dict[str, Any], ...]

    def text(self, most_ranges: float) -> str:
        if not self.implausible:
            return f"all {self.groups} groups are predicted near what they have been"
        return (
            f"{self.implausible} of {self.groups} groups are predicted more than {most_ranges:g} "
            "times the range of their history outside of it"
        )


def review_plausibility(
    use_case: AnyUseCase, origin: datetime, lake: Lake, results: Results
) -> Plausibility:
    """Groups whose predictions from an origin lie farther outside than the use case allows."""
    keys = list(use_case.keys)
    named = ", ".join(f'"{name}"' for name in keys)
    by = f"group_key, {named}, source, model_name, model_version"
    predicted = results.store.query(
        f'SELECT {by}, MIN(prediction) AS "{LOWEST}", MAX(prediction) AS "{HIGHEST}" '
        f'FROM "{results.name("predictions")}" WHERE origin = :origin GROUP BY {by}',
        {"origin": origin},
    )
    if not predicted.num_rows:
        return Plausibility(0, 0, ())
    limit = use_case.predictions.max_ranges_outside
    history = read_ranges(use_case, origin, lake)
    found = find_implausible(predicted, history, keys, most_ranges=limit).drop_columns(keys)
    worst = found.slice(0, WORST_SHOWN).to_pylist()
    return Plausibility(predicted.num_rows, found.num_rows, tuple(worst))


def read_ranges(use_case: AnyUseCase, origin: datetime, lake: Lake) -> pa.Table:
    """``LEAST`` and ``MOST`` of the target and its ``OBSERVATIONS`` by group, up to an origin.

    Streamed: no more than some batches of rows are in memory.
    """
    time, target, names = use_case.time.column, use_case.target, list(use_case.keys)
    known = (ds.field(time) <= origin) & ds.field(target).is_valid()
    dataset = lake.grouped_datasets(use_case).dataset()
    parts = []
    for batch in dataset.to_batches(columns=[*names, target], filter=known):
        rows = pa.Table.from_batches([batch]).rename_columns([*names, LEAST])
        seen = rows.append_column(MOST, rows[LEAST]).append_column(OBSERVATIONS, rows[LEAST])
        figures = [(LEAST, "min"), (MOST, "max"), (OBSERVATIONS, "count")]
        parts.append(_aggregate(seen, names, figures))
    if not parts:
        empty = [(name, pa.string()) for name in names]
        figures_of = [(LEAST, pa.float64()), (MOST, pa.float64()), (OBSERVATIONS, pa.int64())]
        return pa.schema([*empty, *figures_of]).empty_table()
    totals = [(LEAST, "min"), (MOST, "max"), (OBSERVATIONS, "sum")]
    return _aggregate(pa.concat_tables(parts), names, totals)


def _aggregate(rows: pa.Table, keys: list[str], figures: Sequence[tuple[str, str]]) -> pa.Table:
    """One row for each of ``keys``; the figures keep the names of their columns."""
    found = rows.group_by(keys).aggregate(list(figures))
    ordered = found.select([*keys, *(f"{column}_{how}" for column, how in figures)])
    return ordered.rename_columns([*keys, *(column for column, _ in figures)])
