"""How close ridge comes to the truth: its errors over those of the simulator's own expectation.

Ridge, plain and on the logarithm, is trained on all but the last horizon of simulated sales, which
is then forecast: by each alone, and by whichever wins each group's backtest. The simulator knows
the expected sales of every day at that day's price and promotion: nobody can forecast better. Both
are judged on the sales that came; 1.03 means an error 3% above the unavoidable one.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from report import parse_arguments, write_report

from many_models.core.arrays import Floats
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.lake_schema import raw_columns
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
candidates: [{candidates}]
ensembles: false
"""
LOG = "{name: log_ridge, estimator: ridge, with: {log_target: true}}"
RIVALS = {
    "seasonal naive": "seasonal_naive",
    "ridge": "seasonal_naive, ridge",
    "ridge on the logarithm": f"seasonal_naive, {LOG}",
    "the better of both ridges": f"seasonal_naive, ridge, {LOG}",
    "gradient boosting": "seasonal_naive, gradient_boosting",
}


@dataclass(frozen=True)
class Errors:
    """Ratios of errors to those of the truth, and core-seconds of training a group."""

    rmse: float
    mae: float
    seconds: float


def forecast(rows: pa.Table, use_case: UseCase, through: np.datetime64) -> tuple[Floats, float]:
    """Served forecasts (G, H) after ``through``, and core-seconds of training a group."""
    started = time.process_time()
    trained = train_shard(rows, use_case, partition="", trained_through=through).to_pylist()
    seconds = (time.process_time() - started) / len(trained)
    champions = {
        row["group_key"]: Champion("", 1, row["payload"]) for row in trained if row["payload"]
    }
    found = score_shard(rows, champions, use_case, partition="", origin=through).predictions
    if set(found["source"].to_pylist()) != {"model"}:
        raise SystemExit("a group has no model; give it more days")
    return found["prediction"].to_numpy().reshape(-1, use_case.horizon), seconds


def measure(sizes: argparse.Namespace, seed: int) -> dict[str, Errors]:
    """Errors of each rival on the sales of one seed."""
    sales = SimulatedSales(sizes.stores, sizes.items, sizes.days + sizes.horizon, seed=seed)
    through = np.datetime64(sales.start) + sizes.days - 1
    table = sales.table()
    future = table.filter(pc.field("date") > pa.scalar(through.astype(object)))
    actual, truth = (
        future[name].to_numpy().reshape(-1, sizes.horizon) for name in ("sales", "expected_sales")
    )
    unavoidable = np.sqrt(((truth - actual) ** 2).mean()), np.abs(truth - actual).mean()
    found = {}
    for rival, candidates in RIVALS.items():
        text = USE_CASE.format(horizon=sizes.horizon, candidates=candidates)
        use_case = parse_use_case(text, name="benchmark")
        assert isinstance(use_case, UseCase)
        schema = raw_columns(use_case)
        predicted, seconds = forecast(table.select(schema.names).cast(schema), use_case, through)
        error = predicted - actual
        rmse, mae = np.sqrt((error**2).mean()), np.abs(error).mean()
        found[rival] = Errors(rmse / unavoidable[0], mae / unavoidable[1], seconds)
    return found


def main() -> None:
    sizes = parse_arguments(__doc__ or "", stores=20, items=15, days=730, horizon=28, seeds=5)
    found = [measure(sizes, seed) for seed in range(sizes.seeds)]
    groups = sizes.stores * sizes.items * sizes.seeds
    print(f"{groups:,} groups of {sizes.days} days, {sizes.horizon} days ahead")
    print(f"{'errors over those of the truth':32}{'RMSE':>8}{'':15}{'MAE':>8}{'':15}{'ms':>12}")
    cases = []
    for rival in RIVALS:
        errors = [by_rival[rival] for by_rival in found]
        line, case = f"{rival:32}", {"name": rival, "n": groups}
        for metric in ("rmse", "mae"):
            ratios = [getattr(error, metric) for error in errors]
            line += f"{np.mean(ratios):>8.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
            case |= {metric: np.mean(ratios), f"{metric}_max": max(ratios)}
        seconds = np.mean([error.seconds for error in errors])
        print(f"{line}{1000 * seconds:>12.1f}")
        cases.append({**case, "seconds": seconds})
    write_report("accuracy_simulated", cases, sizes.json)


if __name__ == "__main__":
    main()
