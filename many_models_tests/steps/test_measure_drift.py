"""Drift of real champions: trained, promoted, and judged by what came after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from many_models.core.forecast.use_case import UseCase
from many_models.core.result_tables.fact_schemas import drift_schema
from many_models.core.use_case import AnyUseCase
from many_models.steps.drift_review import PartitionDrift, show_recent
from many_models.steps.measure_accuracy import measure_origin
from many_models.steps.measure_drift import measure_drift
from many_models_tests.core.tabular.rows import make_flights, make_route
from many_models_tests.fakes import make_series, make_use_case, noisy_weeks
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

MakePipeline = Callable[[AnyUseCase], Pipeline]
NEW_YEAR = datetime(2024, 1, 1)
TRAINED, NEW = 90, 14  # days


def _no_spark() -> SparkSession:
    raise AssertionError("no data have come since training")


def _measure(
    pipeline: Pipeline, *partitions: str, spark: Callable[[], SparkSession] | None = None
) -> dict[str, PartitionDrift]:
    return measure_drift(
        pipeline.use_case,
        partitions,
        "measuring",
        spark=spark or (lambda: pipeline.spark),
        lake=pipeline.lake,
        production=pipeline.champions,
        results=pipeline.results,
    )


def _rows(pipeline: Pipeline) -> list[dict[str, Any]]:
    name = pipeline.results.name("drift")
    found = pipeline.results.store.query(f'SELECT * FROM "{name}" ORDER BY group_key').to_pylist()
    assert all(row.keys() == set(drift_schema(pipeline.use_case).names) for row in found)
    return list(found)


def _have_sales(pipeline: Pipeline, days: int, times: dict[str, float]) -> None:
    """Let the lake hold so many days; from the training on, so many times as much is sold."""
    sold = {store: noisy_weeks(days, seed) for seed, store in enumerate(times, start=2)}
    for store, factor in times.items():
        sold[store][TRAINED:] = [factor * value for value in sold[store][TRAINED:]]
    series: Any = {
        (store, "tea"): make_series(make_use_case(), "2024-01-01", values)
        for store, values in sold.items()
    }
    pipeline.ingest(series)
    pipeline.group(*times)


def test_a_champion_that_keeps_its_promise_and_one_that_does_not(
    make_pipeline: MakePipeline,
) -> None:
    use_case: UseCase = make_use_case(horizon=NEW, candidates=["seasonal_naive", "ridge"])
    pipeline = make_pipeline(use_case)
    _have_sales(pipeline, TRAINED, {"s1": 1.0, "s2": 1.0})
    ledger = pipeline.train("s1", "s2").to_pylist()
    pipeline.promote("s1", "s2")
    before = _measure(pipeline, "s1", "s2", "s3", spark=_no_spark)
    assert before["s1"] == PartitionDrift(groups=1)
    assert before["s3"] == PartitionDrift()
    assert [row["error"] for row in _rows(pipeline)] == [None, None]

    origin = NEW_YEAR + timedelta(TRAINED - 1)
    pipeline.score(origin)
    _have_sales(pipeline, TRAINED + NEW, {"s1": 1.0, "s2": 3.0})
    measure_origin(use_case, origin, pipeline.lake, pipeline.results)
    found = _measure(pipeline, "s1", "s2")

    assert (found["s1"].judged, found["s1"].drifted, found["s1"].shifted) == (1, 0, 0)
    assert (found["s2"].judged, found["s2"].drifted, found["s2"].shifted) == (1, 1, 1)
    kept, broken = _rows(pipeline)
    assert [kept["promised"], broken["promised"]] == [row["mae"] for row in ledger]
    assert (kept["judged"], kept["excess"], kept["drifted_since"]) == (NEW, 0.0, None)
    assert broken["excess"] == pytest.approx(NEW * (broken["error"] - broken["promised"]))
    assert broken["drifted_since"] == NEW_YEAR + timedelta(TRAINED)
    assert (broken["store"], broken["age_days"], broken["stale"]) == ("s2", NEW, False)
    assert broken["target_shift"] > 1
    view = pipeline.results.store.query('SELECT * FROM "sales_drift_by_partition" ORDER BY 1')
    assert [(r["groups"], r["drifted"], r["shifted"], r["stale"]) for r in view.to_pylist()] == [
        (1, 0, 0, 0),
        (1, 1, 1, 0),
    ]
    recent = show_recent(use_case, broken, pipeline.results)
    assert recent is not None
    assert len(recent.actual.times) == NEW


def test_champions_of_classes_are_judged_by_what_was_wrong(make_pipeline: MakePipeline) -> None:
    use_case = make_flights(days_ahead=NEW, drift={"max_age_days": 10})
    pipeline, count = make_pipeline(use_case), 4 * TRAINED
    route, key = make_route(count + 4 * NEW), ("JFK", "LAX")
    columns = [name for name in route if name in use_case.columns]
    pipeline.ingest({key: {name: route[name][:count] for name in columns}})
    pipeline.group("JFK")
    (trained,) = pipeline.train("JFK").to_pylist()
    pipeline.promote("JFK")
    other = ["on time" if late == "late" else "late" for late in route["late"][count:]]
    late = [*route["late"][:count], *other]
    pipeline.ingest({key: {**{n: route[n] for n in columns}, "late": late}})
    pipeline.group("JFK")
    origin = NEW_YEAR + timedelta(TRAINED)
    pipeline.score(origin)
    measure_origin(use_case, origin, pipeline.lake, pipeline.results)

    found = _measure(pipeline, "JFK")["JFK"]

    (row,) = _rows(pipeline)
    assert row["promised"] == pytest.approx(1 - trained["accuracy"])
    assert row["judged"] > 40
    assert row["error"] > 0.7
    assert (found.drifted, found.stale, row["shifted_feature"] in ("hour", "wind", "carrier")) == (
        1,
        1,
        True,
    )
