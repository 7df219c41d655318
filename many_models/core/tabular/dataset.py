"""A shard's rows for regression and classification: whole groups, each in order of time.

What is wrong with a group is written down as its problem; nothing is filled or dropped here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from many_models.core.arrays import Flags, Floats, Ints
from many_models.core.failure import Problem
from many_models.core.forecast.dataset import NEVER, find_groups, rows_as_text
from many_models.core.tabular.use_case import TabularUseCase

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Rows:
    """Datasets of ``G`` groups with ``N`` rows in total.

    ``offsets`` (G + 1) delimits the groups; ``days`` (N) count from 1970, ``NEVER`` where a row has
    no time. ``target`` (N) holds NaN for null, be it of numbers or of text; ``features`` has a
    float64 or an object column for each feature, NaN for null.
    """

    keys: tuple[tuple[str, ...], ...]
    offsets: Ints
    times: NDArray[np.datetime64]
    days: Ints
    row_ids: Texts
    target: Floats | Texts
    features: pd.DataFrame
    problems: dict[int, Problem]

    def of(self, group: int) -> slice:
        return slice(int(self.offsets[group]), int(self.offsets[group + 1]))

    def labelled(self, group: int, origin: int) -> Ints:
        """Rows of a group whose target is there, and known at the end of the day ``origin``."""
        rows = self.of(group)
        known = ~pd.isna(self.target[rows]) & (self.days[rows] <= origin)
        labelled: Ints = rows.start + np.flatnonzero(known)
        return labelled

    def digest(self, rows: Ints) -> str:
        """Hex SHA-256 of which rows these are, and of what their target is."""
        told = zip(self.times[rows].astype(str), self.row_ids[rows], self.target[rows], strict=True)
        return hashlib.sha256(repr([tuple(map(str, row)) for row in told]).encode()).hexdigest()


def read_rows(table: pa.Table, use_case: TabularUseCase) -> Rows:
    """Rows of an Arrow table that is sorted by key.

    Within a group they are put in order of time and row id, whatever order they came in.

    Raises:
        LakeError: the rows of one group do not lie together.
    """
    offsets = find_groups(table, use_case.keys)
    group = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    times = table[use_case.time.column].cast(pa.timestamp("us")).to_numpy()
    row_ids = _texts(table, use_case.row_id)
    order = np.lexsort((row_ids.astype(str), times, group))
    table, times, row_ids = table.take(pa.array(order)), times[order], row_ids[order]
    is_number = use_case.target_is_number
    rows = Rows(
        keys=rows_as_text(table.take(pa.array(offsets[:-1])), use_case.keys),
        offsets=offsets,
        times=times,
        days=np.where(np.isnat(times), NEVER, use_case.frequency.to_period(times)),
        row_ids=row_ids,
        target=(_numbers if is_number else _texts)(table, use_case.target),
        features=_features(table, use_case),
        problems={},
    )
    rows.problems.update(_find_problems(rows, group, use_case))
    return rows


def _features(table: pa.Table, use_case: TabularUseCase) -> pd.DataFrame:
    numeric, categorical = use_case.features.numeric, use_case.features.categorical
    return as_features(table.select([*numeric, *categorical]).to_pandas(), numeric, categorical)


def as_features(
    frame: pd.DataFrame, numeric: tuple[str, ...], categorical: tuple[str, ...]
) -> pd.DataFrame:
    """The feature columns alone: numbers as float64, categories as text, null as NaN in both.

    Raises:
        ValueError: a column is missing or does not hold numbers.
    """
    if missing := [name for name in (*numeric, *categorical) if name not in frame]:
        raise ValueError(f"column {missing[0]!r} is missing; the rows have {list(frame.columns)}")
    columns: dict[str, NDArray[np.float64] | Texts] = {}
    for name in numeric:
        try:
            columns[name] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must hold numbers: {error}") from error
    for name in categorical:
        texts = frame[name].astype(object).to_numpy(dtype=object, copy=True)
        missing_values = pd.isna(texts)
        texts[~missing_values] = [str(value) for value in texts[~missing_values]]
        texts[missing_values] = np.nan
        columns[name] = texts
    typed = {n: pd.Series(v, dtype=v.dtype, index=frame.index) for n, v in columns.items()}
    return pd.DataFrame(typed, index=frame.index)


def _numbers(table: pa.Table, name: str) -> Floats:
    values: Floats = table[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
    return values


def _texts(table: pa.Table, name: str) -> Texts:
    values = table[name].cast(pa.string())
    texts: Texts = values.to_numpy().astype(object)
    texts[pc.is_null(values).to_numpy()] = np.nan
    return texts


def _find_problems(rows: Rows, group: Ints, use_case: TabularUseCase) -> dict[int, Problem]:
    """First problem of each group, by the row where it shows."""
    twice = np.zeros(len(group), dtype=bool)
    twice[1:] = (group[1:] == group[:-1]) & (rows.times[1:] == rows.times[:-1])
    twice[1:] &= rows.row_ids[1:].astype(str) == rows.row_ids[:-1].astype(str)
    column, row_id = use_case.time.column, use_case.row_id
    rules: list[tuple[str, Flags, str]] = [
        ("missing_time", np.isnat(rows.times), f"{column} is null"),
        ("duplicate_row", twice, f"{column} and {row_id} occur twice; mend the source query"),
    ]
    numbers = {name: rows.features[name].to_numpy() for name in use_case.features.numeric}
    if use_case.target_is_number:
        numbers[use_case.target] = rows.target
    for name, values in numbers.items():
        infinite: Flags = np.isinf(values.astype(np.float64))
        rules.append(("non_finite_value", infinite, f"{name} is infinite"))
    problems: dict[int, Problem] = {}
    for reason, bad, text in rules:
        places = np.flatnonzero(bad)
        for index in np.unique(group[places], return_index=True)[1]:
            row = places[index]
            where = f"(at {rows.times[row]}, {row_id} {rows.row_ids[row]})"
            problems.setdefault(int(group[row]), Problem(reason, f"{text} {where}"))
    return problems
