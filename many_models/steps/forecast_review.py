"""Reviewing predictions: is every group covered, and what do a few of them look like?

Reads back what was written, so that a check judges the store and not the code that filled it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from many_models.adapters.charts.series import Forecast, Line, Series
from many_models.adapters.lake.tables import Lake
from many_models.core.forecast.use_case import UseCase
from many_models.steps.group import read_shards
from many_models.steps.lost_groups import REASON
from many_models.steps.results import Results

EXAMPLES = 4
HISTORY_HORIZONS = 3


@dataclass(frozen=True, slots=True)
class Coverage:
    """Groups of the grouped datasets against the rows that one origin has in the store.

    ``scored_groups`` are in the scoring ledger, in ``scoring_rows`` rows; ``forecast_groups`` are
    in the predictions, in ``prediction_rows`` rows with a prediction. ``unreadable_groups`` are
    those whose data is there, but damaged.
    """

    groups: int
    scoring_rows: int
    scored_groups: int
    forecast_groups: int
    unserved_groups: int
    prediction_rows: int
    horizon: int
    unreadable_groups: int = 0

    @property
    def holds(self) -> bool:
        once = self.groups == self.scored_groups == self.scoring_rows
        served = self.forecast_groups + self.unserved_groups == self.scored_groups
        whole = self.prediction_rows == self.forecast_groups * self.horizon
        return once and served and whole and not self.unreadable_groups

    @property
    def text(self) -> str:
        return (
            f"{self.forecast_groups} of {self.groups} groups have {self.horizon} periods of "
            f"forecast; {self.unserved_groups} have a row that says why not"
            + (
                f"; the data of {self.unreadable_groups} cannot be read: materialize their "
                "grouped_datasets again"
                if self.unreadable_groups
                else ""
            )
        )


def count_coverage(use_case: UseCase, origin: datetime, lake: Lake, results: Results) -> Coverage:
    """Counts of one origin, read back from the lake and the store."""
    scoring = results.store.query(
        f"SELECT COUNT(*) AS n, COUNT(DISTINCT group_key) AS keys, "
        f"SUM(CASE WHEN source = 'none' THEN 1 ELSE 0 END) AS unserved, "
        f"SUM(CASE WHEN reason = '{REASON}' THEN 1 ELSE 0 END) AS unreadable "
        f'FROM "{results.name("scoring")}" WHERE origin = :origin',
        {"origin": origin},
    ).to_pylist()[0]
    predictions = results.store.query(
        f"SELECT COUNT(*) AS n, COUNT(DISTINCT group_key) AS keys "
        f'FROM "{results.name("predictions")}" WHERE origin = :origin AND prediction IS NOT NULL',
        {"origin": origin},
    ).to_pylist()[0]
    return Coverage(
        groups=sum(shard.groups for shard in read_shards(use_case, lake)),
        scoring_rows=int(scoring["n"]),
        scored_groups=int(scoring["keys"]),
        forecast_groups=int(predictions["keys"]),
        unserved_groups=int(scoring["unserved"] or 0),
        prediction_rows=int(predictions["n"]),
        horizon=use_case.horizon,
        unreadable_groups=int(scoring["unreadable"] or 0),
    )


def select_examples(
    use_case: UseCase, origin: datetime, lake: Lake, results: Results
) -> list[Series]:
    """The groups with the largest forecasts by a model, each with what is known of its time."""
    name = results.name("predictions")
    rows = results.store.query(
        f'SELECT * FROM "{name}" WHERE origin = :origin AND group_key IN (SELECT group_key FROM '
        f"\"{name}\" WHERE origin = :origin AND source = 'model' GROUP BY group_key "
        f"ORDER BY SUM(prediction) DESC LIMIT {EXAMPLES}) ORDER BY group_key, time",
        {"origin": origin},
    ).to_pandas()
    examples = (_example(use_case, str(k), frame, lake) for k, frame in rows.groupby("group_key"))
    return [example for example in examples if example is not None]


def _example(use_case: UseCase, key: str, forecast: pd.DataFrame, lake: Lake) -> Series | None:
    """One group's picture; None where a damaged file of its partition is in the way."""
    partition = [str(forecast["partition"].iloc[0])]
    time, target = use_case.time.column, use_case.target
    group = ds.field("partition") == partition[0]
    for name in use_case.keys:
        group = group & (ds.field(name) == forecast[name].iloc[0])
    wanted = group & (ds.field(time) <= forecast["time"].iloc[-1])
    try:
        rows = lake.grouped_datasets(use_case).dataset(partition).to_table([time, target], wanted)
    except (OSError, pa.ArrowException):
        return None
    # Before the origin, and as far as the forecast goes where that time has come already.
    recent = rows.to_pandas().sort_values(time).tail((HISTORY_HORIZONS + 1) * use_case.horizon)
    ahead = (forecast[name].to_numpy() for name in ("time", "prediction", "lower", "upper"))
    return Series(key, Line(recent[time].to_numpy(), recent[target].to_numpy()), Forecast(*ahead))
