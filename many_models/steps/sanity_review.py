"""Sanity of the predictions of one origin: finite numbers, intervals around them, in SQL.

Reads back what was written, so that a check judges the store and not the code that filled it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from many_models.core.forecast.use_case import UseCase
from many_models.core.forecast.validation import level_name
from many_models.core.use_case import AnyUseCase
from many_models.steps.results import Results

WORST_SHOWN = 10
INFINITE = 1.7e308  # beyond every finite number; of NaN the store makes null


@dataclass(frozen=True, slots=True)
class Sanity:
    """Rows of one origin, how many have each fault, and the groups that have most of them."""

    rows: int
    faults: Mapping[str, int]
    faulty_rows: int
    faulty_groups: int
    worst: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def holds(self) -> bool:
        return self.faulty_rows == 0

    @property
    def text(self) -> str:
        if self.holds:
            return f"all {self.rows} predictions are sane"
        named = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in self.faults.items() if n)
        wrong = f"{self.faulty_rows} of {self.rows} predictions are wrong"
        return f"{wrong}, of {self.faulty_groups} groups: {named}"


def inspect_predictions(use_case: AnyUseCase, origin: datetime, results: Results) -> Sanity:
    """Faults of the predictions that one origin has in the store."""
    faults, name = fault_conditions(use_case), results.name("predictions")
    if not faults:
        return Sanity(0, {}, 0, 0)
    at = {"origin": origin}
    counted = ", ".join(f"SUM(CASE WHEN {c} THEN 1 ELSE 0 END) AS {f}" for f, c in faults.items())
    any_fault = " OR ".join(f"({condition})" for condition in faults.values())
    total = results.store.query(
        f'SELECT COUNT(*) AS "rows", {counted} FROM "{name}" WHERE origin = :origin', at
    ).to_pylist()[0]
    groups = results.store.query(
        "SELECT group_key, source, candidate, model_name, model_version, "
        "COUNT(*) AS faulty, MIN(prediction) AS lowest, MAX(prediction) AS highest "
        f'FROM "{name}" WHERE origin = :origin AND ({any_fault}) '
        "GROUP BY group_key, source, candidate, model_name, model_version "
        "ORDER BY COUNT(*) DESC, group_key",
        at,
    )
    return Sanity(
        rows=int(total["rows"]),
        faults={fault: int(total[fault] or 0) for fault in faults},
        faulty_rows=sum(groups["faulty"].to_pylist()),
        faulty_groups=groups.num_rows,
        worst=tuple(groups.slice(0, WORST_SHOWN).to_pylist()),
    )


def fault_conditions(use_case: AnyUseCase) -> dict[str, str]:
    """What must be true of no prediction, in SQL, by the fault's name."""
    if not use_case.target_is_number:
        return {"impossible_probability": "probability IS NULL OR NOT probability BETWEEN 0 AND 1"}
    finite = f"prediction IS NULL OR ABS(prediction) > {INFINITE}"
    if not isinstance(use_case, UseCase):
        return {"not_finite": finite}
    bounds = use_case.validation.bound_columns
    infinite = " OR ".join(f"ABS({name}) > {INFINITE}" for name in bounds)
    pairs = list(zip(bounds[::2], bounds[1::2], strict=True))
    sides = [f"{low} > prediction OR prediction > {up}" for low, up in pairs]
    halves = [f"({low} IS NULL) <> ({up} IS NULL)" for low, up in pairs]
    found = {
        "not_finite": f"{finite} OR {infinite}",
        "half_an_interval": " OR ".join(halves),
        "outside_its_interval": " OR ".join(sides),
    }
    if use_case.validation.levels:
        found["levels_not_nested"] = " OR ".join(_not_nested(use_case))
    if (floor := use_case.prediction_floor) is not None:
        found["below_prediction_floor"] = f"prediction < {floor!r} OR lower < {floor!r}"
    return found


def _not_nested(use_case: UseCase) -> list[str]:
    rules = use_case.validation
    suffix = {rules.interval: ""} | {level: f"_{level_name(level)}" for level in rules.levels}
    by_width = [suffix[level] for level in sorted(suffix)]
    return [
        f"lower{narrow} < lower{wide} OR upper{narrow} > upper{wide}"
        for narrow, wide in pairwise(by_width)
    ]
