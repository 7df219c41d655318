"""What champions have been off by lately: their predictions in table ``accuracy``, by period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.core.arrays import Floats, Ints
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import PARTITIONS_IN_A_QUERY, Results

CHAMPIONS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Judged:
    """Champions (G) whose errors are asked for: a version in production, and where its data end.

    ``through`` is the last period of the window that is looked at.
    """

    partitions: Sequence[str]
    names: Sequence[str]
    versions: Ints
    through: Ints


def read_errors(champions: Judged, results: Results) -> tuple[Floats, Ints]:
    """Sums of absolute errors (G, T) and actuals (G, T) in the last ``T`` periods, the latest last.

    Only predictions that this version has made count. An actual that was predicted from several
    origins counts once, with the mean of their errors. Of classes, an error is 1.
    """
    use_case = results.use_case
    frequency, window = use_case.frequency, use_case.drift.window_of(use_case.frequency)
    groups = len(champions.names)
    errors, actuals = np.zeros(groups * window), np.zeros(groups * window, np.int64)
    if groups:
        names = pa.array(champions.names, pa.string())
        after = int(champions.through.min()) - window
        for partitions in _batches(champions.partitions):
            rows = _query(use_case, results, partitions, after)
            found = pc.index_in(rows["model_name"], value_set=names)
            group = found.fill_null(-1).to_numpy()
            times = rows["time"].to_numpy().astype("datetime64[us]")
            back = champions.through[group] - frequency.to_period(times)
            mine = (group >= 0) & (rows["model_version"].to_numpy() == champions.versions[group])
            mine &= (back >= 0) & (back < window)
            cell = (group * window + window - 1 - back)[mine]
            errors += np.bincount(cell, rows["error"].to_numpy()[mine], len(errors))
            actuals += np.bincount(cell, minlength=len(actuals))
    return errors.reshape(groups, window), actuals.reshape(groups, window)


def _batches(partitions: Sequence[str]) -> Iterator[list[str]]:
    """Partitions that are asked for together: not too many of them, nor of champions."""
    names, counts = np.unique(np.array(partitions, dtype=object), return_counts=True)
    batch: list[str] = []
    size = 0
    for name, count in zip(names.tolist(), counts.tolist(), strict=True):
        if batch and (len(batch) == PARTITIONS_IN_A_QUERY or size + count > CHAMPIONS_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += count
    yield batch


def _query(
    use_case: AnyUseCase, results: Results, partitions: Sequence[str], after: int
) -> pa.Table:
    """Mean absolute error of each actual after a period, by the version that predicted it."""
    frequency = use_case.frequency
    moments = np.array([after + 1, after + 1 - use_case.periods_ahead])
    first, first_origin = frequency.to_time(moments).tolist()
    error = "ABS(deviation)" if use_case.target_is_number else "1 - hit"
    actual = ", ".join(f'"{name}"' for name in ("time", *use_case.row_id_columns))
    named: dict[str, str | datetime] = {f"p{n}": name for n, name in enumerate(partitions)}
    among = ", ".join(f":{name}" for name in named)
    return results.store.query(
        f'SELECT model_name, model_version, "time", AVG(CAST({error} AS double precision)) AS error'
        f' FROM "{results.name("accuracy")}" WHERE origin >= :first_origin AND "time" >= :first '
        f"AND source = 'model' AND \"partition\" IN ({among}) "
        f"GROUP BY model_name, model_version, {actual}",
        {"first": first, "first_origin": first_origin, **named},
    )
