"""Reviewing drift: figures of each partition, its worst groups, what the worst of them looks like.

Reads back what was written, so that checks judge the store and not the code that filled it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.charts.series import Forecast, Line, Series
from many_models.core.errors import StoreError
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import PARTITIONS_IN_A_QUERY, Results

WORST_SHOWN = 10
EXAMPLE_WINDOWS = 3

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PartitionDrift:
    """Champions of one partition: how many, how many could be judged, how many have drifted.

    ``compared`` are those whose data could be compared with what they were trained on, ``excess``
    is what drift has cost in the window, in the target's unit.
    """

    groups: int = 0
    judged: int = 0
    drifted: int = 0
    compared: int = 0
    shifted: int = 0
    stale: int = 0
    excess: float = 0.0

    @property
    def share_drifted(self) -> float:
        return self.drifted / self.judged if self.judged else 0.0

    @property
    def share_shifted(self) -> float:
        return self.shifted / self.compared if self.compared else 0.0

    @property
    def share_stale(self) -> float:
        return self.stale / self.groups if self.groups else 0.0


def summarise(
    use_case: AnyUseCase, rows: pa.Table, partitions: Sequence[str]
) -> dict[str, PartitionDrift]:
    """Figures of each partition in rows of the drift table."""
    least = use_case.drift.judged_min_of(use_case.frequency)
    judged = pc.and_(pc.greater_equal(rows["judged"], least), pc.is_valid(rows["promised"]))
    compared = pc.or_(pc.is_valid(rows["target_shift"]), pc.is_valid(rows["feature_shift"]))
    counted = pa.table(
        {
            "partition": rows["partition"],
            "excess": rows["excess"],
            "judged": judged.cast(pa.int64()),
            "compared": compared.cast(pa.int64()),
            **{name: rows[name].cast(pa.int64()) for name in ("drifted", "shifted", "stale")},
        }
    )
    names = ["judged", "drifted", "compared", "shifted", "stale"]
    sums = counted.group_by("partition").aggregate(
        [([], "count_all"), ("excess", "sum"), *((name, "sum") for name in names)]
    )
    found = {
        row["partition"]: PartitionDrift(
            groups=row["count_all"],
            excess=row["excess_sum"] or 0.0,
            **{name: row[f"{name}_sum"] or 0 for name in names},
        )
        for row in sums.to_pylist()
    }
    return {name: found.get(name, PartitionDrift()) for name in partitions}


def read_drift(partitions: Sequence[str], results: Results) -> pa.Table:
    """Rows of these partitions, as they were last measured.

    Raises:
        StoreError: nothing was ever measured.
    """
    name = results.name("drift")
    if not _was_measured(results):
        raise StoreError(f"nothing was measured in table {name}; materialize model_drift")
    if len(partitions) > PARTITIONS_IN_A_QUERY:
        rows = results.store.query(f'SELECT * FROM "{name}"')
        return rows.filter(pc.is_in(rows["partition"], value_set=pa.array(partitions, pa.string())))
    named = {f"p{number}": partition for number, partition in enumerate(partitions)}
    among = ", ".join(f":{one}" for one in named) or "NULL"
    return results.store.query(f'SELECT * FROM "{name}" WHERE "partition" IN ({among})', named)


def _was_measured(results: Results) -> bool:
    """Whether drift was measured ever, be it that there was no champion to measure."""
    sql = (
        f'SELECT 1 AS x FROM "{results.name("drift")}" UNION ALL '
        f"SELECT 1 AS x FROM \"{results.name('stages')}\" WHERE stage = 'model_drift' LIMIT 1"
    )
    return bool(results.store.query(sql).num_rows)


def worst_rows(rows: pa.Table, flag: str, *figures: str) -> dict[str, list[Row]]:
    """Rows that carry a flag, by partition, the first few by the size of the largest figure."""
    found: dict[str, list[Row]] = {}
    for row in rows.filter(rows[flag].cast(pa.bool_())).to_pylist():
        found.setdefault(row["partition"], []).append(row)

    def order(row: Row) -> tuple[float, str]:
        return -max(abs(row[name] or 0.0) for name in figures), row["group_key"]

    return {partition: sorted(some, key=order)[:WORST_SHOWN] for partition, some in found.items()}


def show_recent(use_case: AnyUseCase, row: Row, results: Results) -> Series | None:
    """What a champion has predicted lately beside what happened; None of classes."""
    if not use_case.target_is_number:
        return None
    frequency = use_case.frequency
    shown = EXAMPLE_WINDOWS * use_case.drift.window_of(frequency)
    through = frequency.to_period(np.array([row["data_through"]], dtype="datetime64[us]"))
    first_origin = frequency.to_time(through - shown - use_case.periods_ahead)[0].item()
    found = results.store.query(
        'SELECT "time", AVG(prediction) AS prediction, AVG(actual) AS actual '
        f'FROM "{results.name("accuracy")}" WHERE origin >= :first_origin '
        "AND group_key = :key AND source = 'model' "
        'GROUP BY "time" ORDER BY "time" DESC LIMIT :most',
        {"first_origin": first_origin, "key": row["group_key"], "most": shown},
    )
    times, unknown = found["time"].to_numpy(), np.full(len(found), np.nan)
    return Series(
        row["group_key"],
        Line(times, found["actual"].to_numpy()),
        Forecast(times, found["prediction"].to_numpy(), unknown, unknown),
        since=row["drifted_since"],
    )
