"""A store that is small and real: models trained, forecasts made and judged, without Spark.

Two partitions, one of whose names and keys hold what URLs, HTML, SQL and spreadsheets take to be
theirs; a group that is too young; forecasts from two origins, the first of which is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from many_models.adapters.lake.tables import Lake
from many_models.core.explanation import EFFECTS, explanation_table
from many_models.core.forecast.folds import backtest_table
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import group_key, model_name, partition_of_value
from many_models.core.ledger import BACKTEST, NOT_IN_LEDGER
from many_models.core.registration import ModelVersion
from many_models.core.result_tables.fact_schemas import STAGES
from many_models.core.scoring import Champion
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase
from many_models.steps.ledger import Run, write_ledger
from many_models.steps.measure_accuracy import measure_origin
from many_models.steps.results import Results, open_results
from many_models_tests.core.tabular.rows import make_flights, make_route, shard_of
from many_models_tests.fakes import make_series, make_shard, make_use_case, noisy_weeks
from many_models_tests.stored_results import put_grouped

HOSTILE = "=a/b %2F&<script>alert(1)</script>'\"🍎,x"
DAYS, STOCK = 120, 20.0
TRAINED = datetime(2024, 4, 15)
LAST = datetime(2024, 4, 29)
RUN = Run("run-1", datetime(2024, 5, 1, 6, 30, tzinfo=UTC))
USE_CASE = make_use_case(
    description="Daily sales of <b>two</b> stores.",
    candidates=["seasonal_naive", "ridge", "mean"],
    features={"past": ["stock"]},
    inventory={"lead_time": 2, "service_level": 0.95, "on_hand": "stock"},
    validation={"metric": "mase", "folds": 2, "min_observations": 30, "interval": 0.9},
)


@dataclass(frozen=True)
class SmallStore:
    """The folder has ``results.db`` and ``lake``."""

    folder: Path
    url: str
    results: Results

    @property
    def lake(self) -> Lake:
        return Lake(str(self.folder / "lake"))

    @property
    def keys(self) -> list[str]:
        return [group_key(USE_CASE.keys, key) for keys in _groups().values() for key in keys]


def _groups() -> dict[str, dict[tuple[str, str], list[float]]]:
    return {
        store: {
            **{(store, item): noisy_weeks(DAYS, seed=n) for n, item in enumerate(items)},
            (store, "young"): noisy_weeks(9),
        }
        for store, items in (("s1", ["milk", "=bread", "eggs"]), (HOSTILE, [HOSTILE, "tea"]))
    }


def make_small_store(folder: Path, url: str = "") -> SmallStore:
    """Train, predict and judge everything; results go to ``url``, or to a file in the folder."""
    place = url or f"sqlite:///{folder}/results.db"
    store = SmallStore(folder, place, open_results(place, USE_CASE))
    for name, groups in _groups().items():
        _fill(store, partition_of_value(name), groups)
    stage = {
        "run_id": RUN.run_id,
        "stage": "trained_models",
        "started_at": datetime(2024, 5, 1, 6, 30),
        "seconds": 12.0,
        "partitions": 2,
        "rows": len(store.keys),
    }
    store.results.replace(
        "stages", pa.Table.from_pylist([stage], schema=STAGES), {"run_id": RUN.run_id}
    )
    measure_origin(USE_CASE, TRAINED, store.lake, store.results)
    return store


def make_flights_store(folder: Path, problem: str) -> SmallStore:
    """Independent rows of two routes, classes or numbers, predicted a week ahead."""
    use_case, url = make_flights(problem, days_ahead=7), f"sqlite:///{folder}/results.db"
    store = SmallStore(folder, url, open_results(url, use_case))
    routes = {("EWR", to): make_route(200, seed) for seed, to in enumerate(("ATL", "BOS"))}
    rows = shard_of(use_case, routes)
    through = np.datetime64("2024-02-12")
    shape = shape_of(use_case)
    trained = shape.train_shard(rows, use_case, partition="EWR", trained_through=through)
    _write_training(store.results, "EWR", trained)
    models = {k: Champion(name, 1, payload) for k, name, payload in _models(use_case, trained)}
    scores = shape.score_shard(rows, models, use_case, partition="EWR", origin=through)
    where = {"origin": str(through), "partition": "EWR"}
    store.results.replace_all({"predictions": (scores[0], where), "scoring": (scores[1], where)})
    return store


def _start(sold: list[float]) -> str:
    return str(np.datetime64(LAST, "D") - len(sold) + 1)


def _fill(store: SmallStore, partition: str, groups: dict[tuple[str, str], list[float]]) -> None:
    series = {
        key: make_series(USE_CASE, _start(sold), sold, stock=[STOCK] * len(sold))
        for key, sold in sorted(groups.items())
    }
    put_grouped(store.lake, USE_CASE, partition, series, LAST.isoformat())
    rows = make_shard(USE_CASE, series)
    trained = train_shard(
        rows, USE_CASE, partition=partition, trained_through=np.datetime64(TRAINED)
    )
    _write_training(store.results, partition, trained)
    models = {
        key: Champion(name, 1, payload)
        for key, name, payload in _models(USE_CASE, trained)
        if "tea" not in key  # served by the baseline
    }
    for origin in (TRAINED, LAST):
        known = rows.filter(pc.less_equal(rows[USE_CASE.time.column], pa.scalar(LAST)))
        scores = score_shard(
            known, models, USE_CASE, partition=partition, origin=np.datetime64(origin)
        )
        assert scores.inventory is not None
        where = {"origin": str(origin), "partition": partition}
        store.results.replace_all(
            {
                "predictions": (scores.predictions, where),
                "scoring": (scores.ledger, where),
                "inventory": (scores.inventory, where),
            }
        )


def _write_training(results: Results, partition: str, trained: pa.Table) -> None:
    use_case = results.use_case
    names = [name for name in trained.column_names if name not in NOT_IN_LEDGER]
    versions = [ModelVersion(name, 1, "r", "", {}) for _, name, _ in _models(use_case, trained)]
    ledger = write_ledger(use_case, trained.select(names), versions, RUN, 1)
    there = pc.equal(ledger["status"], "trained")
    told = ledger.filter(there), trained.filter(there)
    effects = explanation_table(told[0], told[1][EFFECTS], use_case)
    champions = [
        {
            "partition": partition,
            "group_key": row["group_key"],
            **{name: row[name] for name in use_case.keys},
            "model_name": row["model_name"],
            "model_version": 1,
            "candidate": row["candidate"],
            "score": row["score"],
            "promoted_at": datetime(2024, 5, 1, 7),
            "promoted_by": RUN.run_id,
            "is_champion": True,
        }
        for row in told[0].to_pylist()
    ]
    schema = results.declaration.table("champions").schema
    if isinstance(use_case, UseCase):
        folds = backtest_table(told[0], told[1][BACKTEST], use_case)
        results.replace("backtests", folds, {"partition": partition})
    results.replace_all(
        {
            "ledger": (ledger, {"run_id": RUN.run_id, "partition": partition}),
            "explanations": (effects, {"partition": partition}),
            "champions": (
                pa.Table.from_pylist(champions, schema=schema),
                {"partition": partition},
            ),
        }
    )


def _models(use_case: AnyUseCase, trained: pa.Table) -> Iterator[tuple[str, str, bytes]]:
    for row in trained.select(["group_key", "status", "payload", *use_case.keys]).to_pylist():
        if row["status"] == "trained":
            values = [row[name] for name in use_case.keys]
            yield row["group_key"], model_name(use_case.name, use_case.keys, values), row["payload"]
