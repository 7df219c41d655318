from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from many_models.core.errors import StoreError
from many_models.core.forecast.use_case import UseCase
from many_models.steps.champion_review import measure_champions
from many_models.steps.judge import judge_partitions
from many_models_tests.fakes import Columns, make_series, make_use_case, noisy_weeks
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

HORIZON, DAYS = 7, 100
Make = Callable[[UseCase], Pipeline]


def _use_case(**promotion: float) -> UseCase:
    return make_use_case(
        validation={"min_observations": 60},
        candidates=["seasonal_naive", "ridge"],
        promotion={"beat_baseline_by": 0.05, **promotion},
    )


def _weeks(use_case: UseCase, count: int, *, start: int = 0, seed: int = 0) -> Columns:
    day = str(datetime(2024, 1, 1 + start).date()) if start < 31 else f"2024-04-{start - 90:02d}"
    return make_series(use_case, day, noisy_weeks(start + count, seed)[start:])


def _trained(make: Make, use_case: UseCase) -> Pipeline:
    """A pipeline whose two groups have champions, trained through 9 April."""
    pipeline = make(use_case)
    series: dict[tuple[str, ...], Columns] = {
        ("s1", item): _weeks(use_case, DAYS, seed=i) for i, item in enumerate(("a", "b"))
    }
    pipeline.ingest(series)
    pipeline.group("s1")
    pipeline.train("s1", run_id="first")
    pipeline.promote("s1")
    return pipeline


def _forecast(pipeline: Pipeline) -> UseCase:
    assert isinstance(pipeline.use_case, UseCase)
    return pipeline.use_case


def _add_week(pipeline: Pipeline) -> None:
    use_case = _forecast(pipeline)
    week: dict[tuple[str, ...], Columns] = {
        ("s1", item): _weeks(use_case, HORIZON, start=DAYS, seed=i)
        for i, item in enumerate(("a", "b"))
    }
    pipeline.ingest(week, window="later")
    pipeline.group("s1")


def _verdicts(pipeline: Pipeline) -> list[dict[str, Any]]:
    rows = pipeline.results.latest("verdicts").to_pylist()
    return sorted(rows, key=lambda row: str(row["group_key"]))


def test_a_first_model_is_judged_without_a_champion(make_pipeline: Make) -> None:
    pipeline = _trained(make_pipeline, _use_case())
    verdicts = _verdicts(pipeline)
    assert [row["accepted"] for row in verdicts] == [True, True]
    assert [row["compared_by"] for row in verdicts] == [None, None]


def test_a_champion_need_not_beat_itself_when_it_is_judged_again(make_pipeline: Make) -> None:
    pipeline = _trained(make_pipeline, _use_case(beat_champion_by=0.5))
    pipeline.promote("s1")
    assert [row["accepted"] for row in _verdicts(pipeline)] == [True, True]


@pytest.mark.parametrize(("margin", "accepted"), [(0.0, True), (0.01, False)])
def test_a_model_retrained_on_the_same_data_is_compared_by_the_same_folds(
    make_pipeline: Make, margin: float, accepted: bool
) -> None:
    pipeline = _trained(make_pipeline, _use_case(beat_champion_by=margin))
    pipeline.train("s1", run_id="second")
    pipeline.promote("s1")
    for row in _verdicts(pipeline):
        assert row["run_id"] == "second"
        assert row["compared_score"] == row["champion_score"] == row["score"]
        assert row["compared_by"] == "the backtest on the same folds"
        assert row["accepted"] is accepted
        assert accepted or "is not 1% below the champion's" in row["reason"]


def test_with_newer_data_the_champion_forecasts_what_it_has_not_seen(make_pipeline: Make) -> None:
    pipeline = _trained(make_pipeline, _use_case())
    _add_week(pipeline)
    ledger = pipeline.train("s1", run_id="second")
    forecasts, actual = _forecast_of_last_week(pipeline)
    pipeline.promote("s1")
    latest = dict(zip(*(ledger[n].to_pylist() for n in ("group_key", "latest_mae")), strict=True))
    for row in _verdicts(pipeline):
        key = row["group_key"]
        errors = [abs(f - a) for f, a in zip(forecasts[key], actual[key], strict=True)]
        assert row["champion_score"] == pytest.approx(sum(errors) / HORIZON)
        assert row["compared_score"] == latest[key]
        assert row["compared_by"] == "the mean absolute error in the latest fold"


def _forecast_of_last_week(
    pipeline: Pipeline,
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """What the champions forecast on 9 April, and what came, by composite key."""
    pipeline.score(datetime(2024, 4, 9))
    rows = pipeline.results.store.query(
        "SELECT group_key, prediction, source FROM sales_predictions ORDER BY time"
    ).to_pylist()
    assert {row["source"] for row in rows} == {"model"}
    forecasts: dict[str, list[float]] = {}
    for row in rows:
        forecasts.setdefault(row["group_key"], []).append(row["prediction"])
    actual = {
        f"store=s1,item={item}": noisy_weeks(DAYS + HORIZON, i)[DAYS:]
        for i, item in enumerate(("a", "b"))
    }
    return forecasts, actual


def test_a_champion_that_has_seen_the_data_is_not_measured_on_it(make_pipeline: Make) -> None:
    pipeline = _trained(make_pipeline, _use_case())
    champions = pipeline.production.champions("sales")
    assert len(champions) == 2
    measured = measure_champions(
        _forecast(pipeline),
        champions,
        spark=pipeline.spark,
        lake=pipeline.lake,
        production=pipeline.production,
    )
    assert measured == {}


def test_too_few_qualified_models_withhold_the_whole_partition(make_pipeline: Make) -> None:
    use_case = _use_case(max_score=0.0001, min_share=0.5)
    pipeline = _trained(make_pipeline, use_case)
    verdicts = _verdicts(pipeline)
    assert not any(row["accepted"] for row in verdicts)
    assert [row["broken_rules"] for row in verdicts] == ["max_score", "max_score"]
    assert pipeline.judge("s1")["s1"].broken == {"max_score": 2}
    assert pipeline.production.champions("sales") == []


def test_a_partition_that_was_never_trained_is_refused(make_pipeline: Make) -> None:
    pipeline = make_pipeline(_use_case())
    with pytest.raises(StoreError, match="partition 's9' has no ledger"):
        judge_partitions(
            pipeline.use_case,
            ["s9"],
            spark=lambda: pipeline.spark,
            lake=pipeline.lake,
            production=pipeline.production,
            results=pipeline.results,
        )
