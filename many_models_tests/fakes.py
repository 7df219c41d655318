"""Builders of the small things that tests of the core are about: a use case, a series, a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from many_models.core.forecast.use_case import UseCase
from many_models.core.lake_schema import raw_columns
from many_models.core.use_case import AnyUseCase

Columns = Mapping[str, Sequence[Any]]


def make_use_case(**fields: Any) -> UseCase:
    """A week ahead, daily, by store and item, unless ``fields`` say otherwise."""
    return UseCase.model_validate(
        {
            "name": "sales",
            "source": {"url": "sqlite:///sales.db", "table": "sales", "start": "2024-01-01"},
            "keys": ["store", "item"],
            "partitioning": {"by": "store"},
            "time": {"column": "date", "frequency": "D"},
            "target": "sold",
            "horizon": 7,
            "gaps": "zero",
            "candidates": ["seasonal_naive", "ridge", "gradient_boosting"],
            **fields,
        }
    )


def make_series(
    use_case: UseCase, start: str, targets: Sequence[float | None], **columns: Sequence[Any]
) -> Columns:
    """One group's columns: a row in each period from ``start`` on, as many as there are targets."""
    frequency = use_case.frequency
    first = frequency.to_period(np.array([start], dtype="datetime64[us]"))
    times = frequency.to_time(first + np.arange(len(targets))).tolist()
    return {use_case.time.column: times, use_case.target: targets, **columns}


def without_rows(series: Columns, rows: Sequence[int]) -> Columns:
    """The same series with some of its rows left out."""
    return {
        name: [value for row, value in enumerate(values) if row not in rows]
        for name, values in series.items()
    }


def make_shard(use_case: AnyUseCase, groups: Mapping[Any, Columns]) -> pa.Table:
    """Rows of a shard as they lie in the lake, one key's after another's; null if not given."""
    schema = raw_columns(use_case)
    parts = []
    for key, columns in groups.items():
        count = len(columns[use_case.time.column])
        keys = {name: [value] * count for name, value in zip(use_case.keys, key, strict=True)}
        given = {**{name: [None] * count for name in schema.names}, **keys, **columns}
        parts.append(pa.table({name: given[name] for name in schema.names}, schema=schema))
    return pa.concat_tables(parts) if parts else schema.empty_table()


def noisy_weeks(count: int, seed: int = 0) -> list[float]:
    """Daily sales with a weekly season, a trend and noise; all above zero."""
    days = np.arange(count)
    noise = np.random.default_rng(seed).normal(0, 2, count)
    values: list[float] = (40 + 10 * np.sin(2 * np.pi * days / 7) + days / 50 + noise).tolist()
    return values
