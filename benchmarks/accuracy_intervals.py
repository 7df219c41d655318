"""Do prediction intervals hold what they say? Coverage of the future of the simulated source.

Ridge is trained on all but the last horizon, which is then forecast, for several seeds. Beside it
stand the coverage that the backtest promises, and that of the same intervals around models that
are fitted on no more data than the backtest's were on average: what the final refit does to them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from report import parse_arguments, write_report

from many_models.core.forecast.model import load_model
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.lake_schema import raw_columns
from many_models.core.payload import dump_payload
from many_models.core.scoring import Champion
from many_models.core.simulation.retailer import SimulatedSales
from many_models.core.use_case_file import parse_use_case

USE_CASE = """
name: benchmark
source: {{url: none, table: sales, start: 2023-01-01}}
keys: [store_id, item_id]
partitioning: {{hash: 8}}
time: {{column: date, frequency: D}}
target: sales
horizon: {horizon}
gaps: zero
prediction_floor: 0
features: {{known: [price, promotion]}}
candidates: [seasonal_naive, ridge]
ensembles: false
validation: {{folds: {folds}, interval: 0.95, levels: [0.5, 0.8]}}
"""
LEVELS = {0.5: "_50", 0.8: "_80", 0.95: ""}
WAYS = ("backtest", "future", "future, fitted on less")
Champions = dict[str, Champion]


@dataclass(frozen=True)
class Season:
    """One simulated source: its rows, the horizon to come included, and when that begins."""

    use_case: UseCase
    rows: pa.Table
    through: np.datetime64

    def train(self, leave_out: int = 0) -> pd.DataFrame:
        """Ledger and payloads of the groups that ridge wins; the first periods are left out."""
        first = pc.min(self.rows["date"]).as_py() + pd.Timedelta(leave_out, "D")
        rows = self.rows.filter(pc.field("date") >= first)
        trained = train_shard(rows, self.use_case, partition="", trained_through=self.through)
        ledger = trained.to_pandas().set_index("group_key")
        return ledger[ledger["candidate"] == "ridge"]

    def cover(self, champions: Champions) -> dict[float, float]:
        """Share of the actuals to come that lie in the intervals of the champions, by level."""
        forecasts = score_shard(
            self.rows, champions, self.use_case, partition="", origin=self.through
        ).predictions
        served = forecasts.filter(pc.field("source") == "model").to_pandas()
        actuals = self.rows.select([*self.use_case.keys, "date", "sales"]).to_pandas()
        joined = served.merge(
            actuals, left_on=[*self.use_case.keys, "time"], right_on=[*self.use_case.keys, "date"]
        )
        return {
            level: float(
                joined["sales"].between(joined[f"lower{name}"], joined[f"upper{name}"]).mean()
            )
            for level, name in LEVELS.items()
        }


def measure_season(season: Season) -> tuple[int, dict[str, dict[float, float]]]:
    """Groups that were judged, and what is covered in each way at each level."""
    use_case = season.use_case
    whole = season.train()
    left_out = use_case.horizon * (use_case.validation.folds + 1) // 2  # in the average fold
    shorter = season.train(left_out)
    keys = whole.index.intersection(shorter.index)
    refitted, less = {}, {}
    for key in keys:
        model, short = (load_model(ledger.loc[key, "payload"]) for ledger in (whole, shorter))
        refitted[key] = Champion("", 1, dump_payload(model)[0])
        less[key] = Champion("", 1, dump_payload(replace(model, fitted=short.fitted))[0])
    promised = whole.loc[keys]
    backtest = {n: float(promised[f"coverage{name}"].mean()) for n, name in LEVELS.items()}
    found = (backtest, season.cover(refitted), season.cover(less))
    return len(keys), dict(zip(WAYS, found, strict=True))


def simulate(sizes: argparse.Namespace, seed: int) -> Season:
    text = USE_CASE.format(horizon=sizes.horizon, folds=sizes.folds)
    use_case = parse_use_case(text, name="benchmark")
    sales = SimulatedSales(sizes.stores, sizes.items, sizes.days + sizes.horizon, seed=seed)
    schema = raw_columns(use_case)
    rows = sales.table().select(schema.names).cast(schema)
    return Season(use_case, rows, np.datetime64(sales.start) + sizes.days - 1)


def main() -> None:
    sizes = parse_arguments(
        __doc__ or "", stores=30, items=20, days=600, horizon=28, folds=3, seeds=5
    )
    found = [measure_season(simulate(sizes, seed)) for seed in range(sizes.seeds)]
    groups = sum(count for count, _ in found)
    print(f"{groups:,} groups, {sizes.days} days, {sizes.folds} folds of {sizes.horizon} days")
    print(f"{'level':>6}" + "".join(f"{way:>26}" for way in WAYS))
    cases = []
    for level in LEVELS:
        line = f"{level:>6.0%}"
        for way in WAYS:
            shares = [by_way[way][level] for _, by_way in found]
            line += f"{np.mean(shares):>12.1%} ({min(shares):.1%}-{max(shares):.1%})"
            cases.append({"name": way, "level": level, "n": groups, "coverage": np.mean(shares)})
        print(line)
    write_report("accuracy_intervals", cases, sizes.json)


if __name__ == "__main__":
    main()
