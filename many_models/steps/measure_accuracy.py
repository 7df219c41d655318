"""Measure: predictions of one origin beside what has happened since, in SQL.

An origin is measured again as more of its actuals come, and its slice replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from many_models.adapters.lake.tables import Lake
from many_models.core.actuals import accuracy_schema, join_actuals
from many_models.core.errors import StoreError
from many_models.core.use_case import AnyUseCase
from many_models.steps.group import read_shards
from many_models.steps.results import Results

PREDICTIONS_AT_ONCE = 1_000_000
TABLE = "accuracy"


@dataclass(frozen=True, slots=True)
class OriginAccuracy:
    """Predictions of one origin: all, those judged by their actuals, and how good these were.

    ``error`` is the mean absolute deviation in the target's unit or, of classes, the share that
    was wrong; NaN where nothing was judged.
    """

    predictions: int
    judged: int
    error: float


def measure_origin(
    use_case: AnyUseCase, origin: datetime, lake: Lake, results: Results
) -> OriginAccuracy:
    """Judge one origin's predictions by the grouped datasets, and replace its slice.

    Raises:
        StoreError: nothing was predicted from this origin.
    """
    schema, totals = accuracy_schema(use_case), _Totals()

    def batches() -> Iterator[pa.RecordBatch]:
        for partitions, through in _divide(use_case, origin, lake, results):
            predictions = _predictions(partitions, origin, results)
            rows = _rows_after(use_case, partitions, origin, lake)
            judged = join_actuals(predictions, rows, use_case, np.datetime64(through))
            totals.add(predictions, judged)
            yield from judged.to_batches()

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    results.replace(TABLE, reader, {"origin": origin.isoformat(sep=" ")})
    return totals.summary()


@dataclass
class _Totals:
    predictions: int = 0
    judged: int = 0
    size: float = 0.0

    def add(self, predictions: pa.Table, judged: pa.Table) -> None:
        self.predictions += predictions.num_rows
        self.judged += judged.num_rows
        if "hit" in judged.column_names:
            wrong = pc.subtract(1, judged["hit"])
        else:
            wrong = pc.abs(judged["deviation"])
        self.size += pc.sum(wrong).as_py() or 0.0

    def summary(self) -> OriginAccuracy:
        error = self.size / self.judged if self.judged else float("nan")
        return OriginAccuracy(self.predictions, self.judged, error)


def _divide(
    use_case: AnyUseCase, origin: datetime, lake: Lake, results: Results
) -> Iterator[tuple[list[str], str]]:
    """Partitions to be judged together, and the last time that their data reaches."""
    counts = results.store.query(
        f'SELECT "partition", COUNT(*) AS n FROM "{results.name("predictions")}" '
        'WHERE origin = :origin GROUP BY "partition"',
        {"origin": origin},
    ).to_pylist()
    if not counts:
        raise _nothing(use_case, origin)
    reached = {s.partition: s.data_through for s in read_shards(use_case, lake)}
    batch: list[str] = []
    size, through = 0, ""
    for row in sorted(counts, key=lambda r: (reached.get(r["partition"], ""), r["partition"])):
        partition = str(row["partition"])
        if partition not in reached:
            continue  # its rows have left the source since
        if batch and (reached[partition] != through or size + row["n"] > PREDICTIONS_AT_ONCE):
            yield batch, through
            batch, size = [], 0
        batch.append(partition)
        size, through = size + row["n"], reached[partition]
    if batch:
        yield batch, through


def _nothing(use_case: AnyUseCase, origin: datetime) -> StoreError:
    return StoreError(
        f"{use_case.name!r} has no predictions from {origin}; materialize predictions of that date"
    )


def _predictions(partitions: Sequence[str], origin: datetime, results: Results) -> pa.Table:
    named = {f"p{number}": name for number, name in enumerate(partitions)}
    among = ", ".join(f":{name}" for name in named)
    return results.store.query(
        f'SELECT * FROM "{results.name("predictions")}" '
        f'WHERE origin = :origin AND "partition" IN ({among})',
        {"origin": origin, **named},
    )


def _rows_after(
    use_case: AnyUseCase, partitions: Sequence[str], origin: datetime, lake: Lake
) -> pa.Table:
    time = use_case.time.column
    names = [*use_case.keys, time, *use_case.row_id_columns, use_case.target]
    dataset = lake.grouped_datasets(use_case).dataset(list(partitions))
    return dataset.to_table(columns=names, filter=ds.field(time) > origin)
