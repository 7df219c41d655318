"""A shard's rows as flat arrays: whole groups, one after another, each in time order.

Nothing is filled or dropped here; what is wrong with a group is written down as its problem, so
that the group ends in the ledger and its neighbours go on. The regular grid is ``panel.py``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.errors import LakeError
from many_models.core.failure import Problem
from many_models.core.forecast.use_case import UseCase

NEVER = np.iinfo(np.int64).max  # later than every forecast origin


@dataclass(frozen=True)
class Dataset:
    """Datasets of ``G`` groups with ``N`` rows in total.

    ``offsets`` (G + 1) delimits the groups; ``periods`` (N) are period numbers, ``NEVER`` where the
    source has no time; ``target`` (N), ``known`` (N, K) and ``past`` (N, P) hold NaN for null.
    """

    keys: tuple[tuple[str, ...], ...]
    statics: tuple[tuple[str, ...], ...]
    offsets: Ints
    periods: Ints
    target: Floats
    known: Floats
    past: Floats
    problems: dict[int, Problem]

    @property
    def group_of_row(self) -> Ints:
        return np.repeat(np.arange(len(self.keys)), np.diff(self.offsets))


def read_dataset(table: pa.Table, use_case: UseCase) -> Dataset:
    """Dataset in an Arrow table that is sorted by key and time.

    Raises:
        LakeError: the rows of one group do not lie together.
    """
    offsets = find_groups(table, use_case.keys)
    first_rows = table.take(pa.array(offsets[:-1]))
    times = table[use_case.time.column].cast(pa.timestamp("us")).to_numpy()
    on_grid = use_case.frequency.to_period(times)
    dataset = Dataset(
        keys=rows_as_text(first_rows, use_case.keys),
        statics=rows_as_text(first_rows, use_case.features.static),
        offsets=offsets,
        periods=np.where(np.isnat(times), NEVER, on_grid),
        target=_column(table, use_case.target),
        known=_matrix(table, use_case.features.known_names),
        past=_matrix(table, use_case.features.past),
        problems={},
    )
    off_grid = use_case.frequency.to_time(on_grid) != times
    dataset.problems.update(_find_problems(dataset, times, off_grid, use_case))
    return dataset


def find_groups(table: pa.Table, columns: Sequence[str]) -> Ints:
    """Offsets (G + 1) of the groups in a table that is sorted by these columns.

    Raises:
        LakeError: the rows of one group do not lie together.
    """
    changes = np.zeros(max(len(table) - 1, 0), dtype=bool)
    for column in columns:
        encoded = pc.dictionary_encode(table[column].combine_chunks(), null_encoding="encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        changes |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(changes) + 1
    offsets: Ints = np.concatenate([[0], starts, [len(table)]]) if len(table) else np.zeros(1, int)
    keys = rows_as_text(table.take(pa.array(offsets[:-1])), columns)
    if len(set(keys)) != len(keys):
        raise LakeError("a shard holds one group in two places; materialize grouped_datasets again")
    return offsets


def rows_as_text(table: pa.Table, columns: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Values of these columns as text, a tuple a row; null is empty."""
    if not columns:
        return ((),) * len(table)
    texts = [table[column].cast(pa.string()).fill_null("").to_pylist() for column in columns]
    return tuple(zip(*texts, strict=True))


def _column(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
    return values


def _matrix(table: pa.Table, names: Sequence[str]) -> Floats:
    columns = [_column(table, name) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(table), 0))


def _find_problems(
    dataset: Dataset, times: NDArray[np.datetime64], off_grid: Flags, use_case: UseCase
) -> dict[int, Problem]:
    """First problem of each group, by the row where it shows."""
    group = dataset.group_of_row
    repeated = np.zeros(len(group), dtype=bool)
    repeated[1:] = (group[1:] == group[:-1]) & (dataset.periods[1:] == dataset.periods[:-1])
    column, code = use_case.time.column, use_case.time.frequency
    rules = [
        ("missing_time", np.isnat(times), f"{column} is null"),
        ("off_grid_time", off_grid, f"{column} is not on the grid of frequency {code!r}"),
        ("duplicate_time", repeated, f"{column} occurs twice; aggregate in the source query"),
    ]
    for name, values in _numeric_columns(dataset, use_case):
        rules.append(("non_finite_value", np.isinf(values), f"{name} is infinite"))
    problems: dict[int, Problem] = {}
    for reason, bad, text in rules:
        rows = np.flatnonzero(bad)
        for index in np.unique(group[rows], return_index=True)[1]:
            row = rows[index]
            problems.setdefault(int(group[row]), Problem(reason, f"{text} (at {times[row]})"))
    return problems


def _numeric_columns(dataset: Dataset, use_case: UseCase) -> list[tuple[str, Floats]]:
    return [
        (use_case.target, dataset.target),
        *zip(use_case.features.known_names, dataset.known.T, strict=True),
        *zip(use_case.features.past, dataset.past.T, strict=True),
    ]
