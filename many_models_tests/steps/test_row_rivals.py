from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from many_models.core.tabular.use_case import TabularUseCase
from many_models_tests.core.tabular.rows import make_flights, make_route
from many_models_tests.fakes import Columns
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

COUNT, KNOWN = 400, 323  # flights in all, and those through 21 March
LAX, SFO, YOUNG = ("JFK", "LAX"), ("JFK", "SFO"), ("EWR", "LAX")


def _route(use_case: TabularUseCase, seed: int, rows: slice) -> Columns:
    return {n: v[rows] for n, v in make_route(COUNT, seed).items() if n in use_case.columns}


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_with_newer_rows_both_are_measured_on_those_that_neither_has_learnt_from(
    make_pipeline: Callable[[TabularUseCase], Pipeline], problem: str
) -> None:
    use_case = make_flights(problem, days_ahead=30)
    pipeline, old, new = make_pipeline(use_case), slice(0, KNOWN), slice(KNOWN, COUNT)
    pipeline.ingest({key: _route(use_case, n, old) for n, key in enumerate((LAX, SFO))})
    pipeline.group("JFK")
    pipeline.train("JFK", run_id="first")
    pipeline.promote("JFK")
    pipeline.ingest({LAX: _route(use_case, 0, new), YOUNG: _route(use_case, 2, old)}, "later")
    pipeline.group("JFK", "EWR")

    pipeline.train("JFK", "EWR", run_id="second")
    pipeline.judge("JFK", "EWR")

    verdicts = {
        (row["origin_airport"], row["dest"]): row
        for row in pipeline.results.latest("verdicts").to_pylist()
    }
    fresh, metric = verdicts[LAX], use_case.metric
    assert fresh["compared_by"] == f"the {metric} on 77 rows that neither has learnt from"
    assert fresh["compared_score"] == pytest.approx(fresh["score"], rel=0.1)
    assert fresh["champion_score"] == pytest.approx(_truth(pipeline, new, metric))
    assert verdicts[SFO]["compared_by"] == "the same rows held out"
    assert verdicts[YOUNG]["compared_by"] is None


def test_a_champion_that_has_seen_the_rows_held_out_is_compared_by_its_own(
    make_pipeline: Callable[[TabularUseCase], Pipeline],
) -> None:
    use_case = make_flights(days_ahead=30)
    pipeline = make_pipeline(use_case)
    pipeline.ingest({LAX: _route(use_case, 0, slice(0, KNOWN))})
    pipeline.group("JFK")
    pipeline.train("JFK", run_id="first")
    pipeline.promote("JFK")
    pipeline.ingest({LAX: _route(use_case, 0, slice(KNOWN, KNOWN + 8))}, "later")
    pipeline.group("JFK")
    pipeline.train("JFK", run_id="second")
    pipeline.judge("JFK")
    (row,) = pipeline.results.latest("verdicts").to_pylist()
    (first,) = (r for r in pipeline.rows("ledger") if r["run_id"] == "first")
    assert row["compared_by"] == (
        "each one's own holdout, as the champion has not seen 8 of the 66 rows held out, "
        "and 30 are needed"
    )
    assert (row["compared_score"], row["champion_score"]) == (row["score"], first["score"])


def _truth(pipeline: Pipeline, rows: slice, metric: str) -> float:
    """What the champion, as it stands in production, makes of these rows."""
    pipeline.score(datetime(2024, 3, 21))
    found: list[dict[str, Any]] = pipeline.results.store.query(
        "SELECT flight, prediction, source FROM flights_predictions WHERE dest = 'LAX'"
        " AND origin_airport = 'JFK'"
    ).to_pylist()
    assert {row["source"] for row in found} == {"model"}
    route = make_route(COUNT, 0)
    name = "late" if metric == "accuracy" else "delay"
    actual = dict(zip(route["flight"][rows], route[name][rows], strict=True))
    pairs = [(row["prediction"], actual[row["flight"]]) for row in found]
    assert len(pairs) == len(actual)
    if metric == "accuracy":
        return float(sum(p == a for p, a in pairs)) / len(pairs)
    return float(sum(abs(p - a) for p, a in pairs)) / len(pairs)


def test_a_champion_judged_by_another_metric_has_no_score_to_be_compared_with(
    make_pipeline: Callable[[TabularUseCase], Pipeline],
) -> None:
    use_case = make_flights(days_ahead=30)
    pipeline = make_pipeline(use_case)
    pipeline.ingest({LAX: _route(use_case, 0, slice(0, KNOWN))})
    pipeline.group("JFK")
    pipeline.train("JFK", run_id="first")
    pipeline.promote("JFK")
    by_loss = make_flights(days_ahead=30, validation={"metric": "log_loss"})
    second = replace(pipeline, use_case=by_loss)
    second.train("JFK", run_id="second")
    second.judge("JFK")
    (row,) = second.results.latest("verdicts").to_pylist()
    assert (row["compared_by"], row["champion_score"], row["qualified"]) == (None, None, True)
