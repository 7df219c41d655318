"""Reviewing predictions of rows: is every row ahead covered, and what was predicted?

Reads back what was written, so that a check judges the store and not the code that filled it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow.dataset as ds

from many_models.adapters.lake.tables import Lake
from many_models.core.tabular.use_case import TabularUseCase
from many_models.steps.group import read_shards
from many_models.steps.results import Results

PREDICTIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class RowCoverage:
    """Rows ahead of one origin in the grouped datasets, against what it has in the store.

    ``rows_ahead`` are in the lake; the scoring ledger has ``scored_groups`` in ``scoring_rows``
    rows, with ``rows_due`` in all and ``rows_served`` of the groups that could be served.
    """

    groups: int
    rows_ahead: int
    scoring_rows: int
    scored_groups: int
    unserved_groups: int
    rows_due: int
    rows_served: int
    prediction_rows: int

    @property
    def holds(self) -> bool:
        once = self.groups == self.scored_groups == self.scoring_rows
        return once and (
            self.rows_ahead == self.rows_due and self.rows_served == self.prediction_rows
        )

    @property
    def text(self) -> str:
        return (
            f"{self.prediction_rows} of {self.rows_ahead} rows ahead are predicted, of "
            f"{self.scored_groups - self.unserved_groups} of {self.groups} groups; "
            f"{self.unserved_groups} have a row that says why not"
        )


def count_row_coverage(
    use_case: TabularUseCase, origin: datetime, lake: Lake, results: Results
) -> RowCoverage:
    """Counts of one origin (the start of its day), read back from the lake and the store."""
    scoring = results.store.query(
        "SELECT COUNT(*) AS n, COUNT(DISTINCT group_key) AS keys, SUM(rows_due) AS due, "
        "SUM(CASE WHEN source = 'none' THEN 1 ELSE 0 END) AS unserved, "
        "SUM(CASE WHEN source = 'none' THEN 0 ELSE rows_due END) AS served "
        f'FROM "{results.name("scoring")}" WHERE origin = :origin',
        {"origin": origin},
    ).to_pylist()[0]
    predictions = results.store.query(
        f'SELECT COUNT(*) AS n FROM "{results.name("predictions")}" '
        "WHERE origin = :origin AND prediction IS NOT NULL",
        {"origin": origin},
    ).to_pylist()[0]
    time, first = ds.field(use_case.time.column), origin + timedelta(days=1)
    ahead = (time >= first) & (time < first + timedelta(days=use_case.days_ahead))
    return RowCoverage(
        groups=sum(shard.groups for shard in read_shards(use_case, lake)),
        rows_ahead=lake.grouped_datasets(use_case).dataset().count_rows(filter=ahead),
        scoring_rows=int(scoring["n"]),
        scored_groups=int(scoring["keys"]),
        unserved_groups=int(scoring["unserved"] or 0),
        rows_due=int(scoring["due"] or 0),
        rows_served=int(scoring["served"] or 0),
        prediction_rows=int(predictions["n"]),
    )


def tabulate_predictions(use_case: TabularUseCase, origin: datetime, results: Results) -> str:
    """Markdown: how many rows got which prediction, or numbers by who predicted them."""
    what = "source" if use_case.target_is_number else "prediction, source"
    mean = ", AVG(prediction) AS mean" if use_case.target_is_number else ""
    rows = results.store.query(
        f'SELECT {what}, COUNT(*) AS "rows"{mean} FROM "{results.name("predictions")}" '
        f"WHERE origin = :origin GROUP BY {what} ORDER BY COUNT(*) DESC LIMIT {PREDICTIONS_SHOWN}",
        {"origin": origin},
    )
    if not rows.num_rows:
        return "No row lies ahead of this origin."
    names = rows.column_names
    table = [names, ["---"] * len(names)]
    table += [[_shown(row[name]) for name in names] for row in rows.to_pylist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
