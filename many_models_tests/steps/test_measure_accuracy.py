from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from many_models.core.errors import StoreError
from many_models.core.forecast.use_case import UseCase
from many_models.steps.measure_accuracy import OriginAccuracy, measure_origin
from many_models_tests.fakes import make_series, make_use_case
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

USE_CASE = make_use_case()
ORIGIN = datetime(2024, 2, 10)  # the 41st day
WEEK = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


@pytest.fixture
def scored(make_pipeline: Callable[[UseCase], Pipeline]) -> Pipeline:
    """Two groups of two partitions, forecast by the baseline, which repeats the last week."""
    pipeline = make_pipeline(USE_CASE)
    _have(pipeline, {"s1": (WEEK * 6)[:41], "s2": (WEEK * 6)[:41]})
    pipeline.score(ORIGIN)
    return pipeline


def _have(pipeline: Pipeline, sales: dict[str, list[float]]) -> None:
    """Let the lake hold these sales from New Year on, by store."""
    series: Any = {(s, "bread"): make_series(USE_CASE, "2024-01-01", v) for s, v in sales.items()}
    pipeline.ingest(series)
    pipeline.group(*sales)


def _measure(pipeline: Pipeline) -> OriginAccuracy:
    return measure_origin(USE_CASE, ORIGIN, pipeline.lake, pipeline.results)


def _view(pipeline: Pipeline, name: str, order: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pipeline.results.store.query(
        f'SELECT * FROM "{pipeline.results.name(name)}" ORDER BY {order}'
    ).to_pylist()
    return rows


def test_only_predictions_whose_actual_has_come_are_judged(scored: Pipeline) -> None:
    assert _measure(scored).judged == 0
    assert scored.rows("accuracy") == []
    as_ever, worse = (WEEK * 7)[:44], [*(WEEK * 7)[:43], 10.0]
    _have(scored, {"s1": as_ever, "s2": worse})

    assert _measure(scored) == OriginAccuracy(predictions=14, judged=6, error=8.0 / 6)

    rows = [r for r in scored.rows("accuracy") if r["deviation"] != 0]
    (row,) = rows
    assert (row["store"], row["time"]) == ("s2", ORIGIN + timedelta(days=3))
    assert (row["prediction"], row["actual"], row["deviation"]) == (2.0, 10.0, -8.0)


def test_the_views_tell_accuracy_by_group_and_by_horizon(scored: Pipeline) -> None:
    _have(scored, {"s1": (WEEK * 7)[:44], "s2": [*(WEEK * 7)[:43], 10.0]})
    _measure(scored)
    groups = _view(scored, "accuracy_by_group", '"partition"')
    assert [(g["store"], g["n"], g["mae"], g["bias"]) for g in groups] == [
        ("s1", 3, 0.0, 0.0),
        ("s2", 3, 8.0 / 3, -8.0 / 3),
    ]
    assert groups[1]["wape"] == pytest.approx(8.0 / 18.0)
    steps = _view(scored, "accuracy_by_horizon", "periods_ahead")
    assert [(s["periods_ahead"], s["n"], s["mae"]) for s in steps] == [
        (1, 2, 0.0),
        (2, 2, 0.0),
        (3, 2, 4.0),
    ]


def test_measuring_again_replaces_what_was_measured(scored: Pipeline) -> None:
    _have(scored, {"s1": (WEEK * 7)[:44], "s2": (WEEK * 7)[:44]})
    _measure(scored)
    once = scored.rows("accuracy")
    assert _measure(scored).judged == 6
    assert scored.rows("accuracy") == once
    _have(scored, {"s1": WEEK * 7, "s2": WEEK * 7})
    assert _measure(scored) == OriginAccuracy(predictions=14, judged=14, error=0.0)


def test_a_partition_that_has_left_the_lake_is_not_judged(scored: Pipeline) -> None:
    _have(scored, {"s1": WEEK * 7})
    scored.group("s1", "s2")
    found = _measure(scored)
    assert (found.predictions, found.judged) == (7, 7)


def test_an_origin_without_predictions_is_an_error_that_says_what_to_do(
    make_pipeline: Callable[[UseCase], Pipeline], scored: Pipeline
) -> None:
    with pytest.raises(StoreError, match=r"no predictions from 2024-02-09.*materialize"):
        measure_origin(USE_CASE, datetime(2024, 2, 9), scored.lake, scored.results)
