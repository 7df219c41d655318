"""Reviewing the accuracy of one origin: is every due prediction judged, do intervals hold?

In SQL, from the tables of predictions and accuracy; whose actuals are due is told by the lake.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from many_models.adapters.lake.tables import Lake
from many_models.core.forecast.use_case import UseCase
from many_models.core.forecast.validation import level_name
from many_models.core.interval_coverage import LevelCoverage
from many_models.core.use_case import AnyUseCase
from many_models.steps.group import read_shards
from many_models.steps.results import Results

WORST_SHOWN = 10
JUDGED_MIN = {"zero": 0.99, "missing": 0.5}
"""Least share of due predictions with an actual: all where a gap is a zero, else gaps are no fault;
the rest is targets that are null, and rows that are there twice."""

Rows = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions of one origin whose time the data has reached (``due``), and those judged."""

    due: int
    judged: int
    least: float
    worst: Rows

    @property
    def share(self) -> float:
        return self.judged / self.due if self.due else 1.0

    @property
    def holds(self) -> bool:
        return self.share >= self.least

    @property
    def text(self) -> str:
        if not self.due:
            return "the data does not reach what was predicted yet"
        return (
            f"{self.judged} of {self.due} predictions whose time has come have an actual "
            f"({self.share:.1%}; at least {self.least:.0%} are expected)"
        )


def count_judged(use_case: AnyUseCase, origin: datetime, lake: Lake, results: Results) -> Judged:
    """How many of the predictions from an origin could be judged, and the groups that lack most."""
    due: Counter[tuple[str, str]] = Counter()
    reached = {shard.partition: shard.data_through for shard in read_shards(use_case, lake)}
    for through in set(reached.values()):
        counts = _count(results, "predictions", origin, datetime.fromisoformat(through))
        due.update({key: n for key, n in counts.items() if reached.get(key[0]) == through})
    judged = _count(results, "accuracy", origin, datetime.max)
    lacking = {key: n - judged.get(key, 0) for key, n in due.items() if n > judged.get(key, 0)}
    worst = sorted(lacking, key=lambda key: (-lacking[key], key))[:WORST_SHOWN]
    gaps = use_case.gaps if isinstance(use_case, UseCase) else "missing"
    return Judged(
        due=due.total(),
        judged=due.total() - sum(lacking.values()),
        least=JUDGED_MIN[gaps],
        worst=tuple(
            {"partition": key[0], "group_key": key[1], "due": due[key], "judged": judged.get(key)}
            for key in worst
        ),
    )


def measure_coverage(
    use_case: UseCase, origin: datetime, results: Results
) -> tuple[list[LevelCoverage], Rows]:
    """What the intervals of each level cover of the actuals, and the groups they fail most."""
    rules = use_case.validation
    suffix = {rules.interval: ""} | {level: f"_{level_name(level)}" for level in rules.levels}
    name, at = results.name("accuracy"), {"origin": origin}
    found = []
    for level, end in suffix.items():
        within = f"actual >= lower{end} AND actual <= upper{end}"
        row = results.store.query(
            "SELECT COUNT(*) AS n, COUNT(DISTINCT group_key) AS keys, "
            f'SUM(CASE WHEN {within} THEN 1 ELSE 0 END) AS hits FROM "{name}" '
            f"WHERE origin = :origin AND lower{end} IS NOT NULL AND upper{end} IS NOT NULL",
            at,
        ).to_pylist()[0]
        found.append(LevelCoverage(level, int(row["n"]), int(row["hits"] or 0), int(row["keys"])))
    covered = "AVG(CAST(covered AS double precision))"
    worst = results.store.query(
        "SELECT group_key, source, candidate, model_name, model_version, COUNT(*) AS judged, "
        f"{covered} AS coverage, AVG(ABS(deviation)) AS mae, AVG(deviation) AS bias "
        f'FROM "{name}" WHERE origin = :origin AND covered IS NOT NULL '
        "GROUP BY group_key, source, candidate, model_name, model_version "
        f"ORDER BY {covered}, AVG(ABS(deviation)) DESC, group_key LIMIT {WORST_SHOWN}",
        at,
    ).to_pylist()
    return found, tuple(worst)


def _count(
    results: Results, table: str, origin: datetime, through: datetime
) -> dict[tuple[str, str], int]:
    """Rows with a prediction by partition and group, up to a time."""
    rows: pa.Table = results.store.query(
        f'SELECT "partition", group_key, COUNT(*) AS n FROM "{results.name(table)}" '
        'WHERE origin = :origin AND "time" <= :through AND prediction IS NOT NULL '
        'GROUP BY "partition", group_key',
        {"origin": origin, "through": through},
    )
    keys = zip(rows["partition"].to_pylist(), rows["group_key"].to_pylist(), strict=True)
    return dict(zip(keys, rows["n"].to_pylist(), strict=True))
