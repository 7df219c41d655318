"""A classification and a regression through all steps, from the lake to predictions in SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from many_models.steps.row_review import RowCoverage, count_row_coverage, tabulate_predictions
from many_models_tests.core.tabular.rows import make_flights, make_route
from many_models_tests.fakes import Columns
from many_models_tests.pipelines import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.mlflow]

COUNT, KNOWN = 200, 175  # rows in all, and those that have a target: up to 13 February
ORIGIN = datetime(2024, 2, 13)
UNKNOWN = [None] * (COUNT - KNOWN)
PROMOTION: dict[str, dict[str, Any]] = {
    "classification": {"min_score": 0.8, "beat_baseline_by": 0.1},
    "regression": {"max_score": 4.0, "beat_baseline_by": 0.1},
}


def route(seed: int = 0, *, known: int = KNOWN, changed: Columns | None = None) -> Columns:
    made = make_route(COUNT, seed, **(changed or {}))
    hidden = {n: [*made[n][:known], *[None] * (COUNT - known)] for n in ("late", "delay")}
    return {**made, **hidden}


def routes(target: str) -> dict[tuple[str, ...], Columns]:
    """Three good ones, one that nothing can be learnt from, one too short, one broken."""
    of_names = {name: make_route()[name] for name in ("late", "delay")}
    noise = {name: values[::-1] for name, values in of_names.items()}
    found = {
        ("JFK", "LAX"): route(),
        ("JFK", "SFO"): route(1),
        ("EWR", "LAX"): route(2),
        ("EWR", "noise"): route(3, changed=noise),
        ("EWR", "young"): route(4, known=20),
        ("EWR", "broken"): route(5, changed={"wind": [float("inf")] * COUNT}),
    }
    return {
        key: {name: v for name, v in columns.items() if name not in {"late", "delay"} - {target}}
        for key, columns in found.items()
    }


@pytest.fixture(scope="module", params=["classification", "regression"])
def scored(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    empty_registry_database: Any,
) -> Pipeline:
    """A pipeline that has trained, promoted, and predicted the two days after the origin."""
    use_case = make_flights(request.param, days_ahead=2, promotion=PROMOTION[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    pipeline = Pipeline.create(folder, use_case, spark, empty_registry_database)
    pipeline.ingest(routes(use_case.target))
    pipeline.group("EWR", "JFK")
    pipeline.train("EWR", "JFK")
    pipeline.promote("EWR", "JFK")
    pipeline.score(ORIGIN)
    return pipeline


def test_every_group_has_one_row_in_the_ledger_whatever_became_of_it(scored: Pipeline) -> None:
    ledger = {row["to"]: row for row in _named(scored.rows("ledger"))}
    statuses = {name: (row["status"], row["reason"]) for name, row in ledger.items()}
    assert statuses == {
        **dict.fromkeys(("JFK LAX", "JFK SFO", "EWR LAX", "EWR noise"), ("trained", None)),
        "EWR young": ("skipped", "too_few_rows"),
        "EWR broken": ("failed", "non_finite_value"),
    }
    good, metric = ledger["JFK LAX"], scored.use_case.metric
    assert good["score"] == good[metric]
    assert good["baseline_score"] == good[f"baseline_{metric}"]
    assert str(good["trained_through"]) == "2024-02-13 00:00:00"


def test_only_what_beats_the_baseline_and_the_threshold_goes_to_production(
    scored: Pipeline,
) -> None:
    verdicts = {row["to"]: row for row in _named(scored.rows("verdicts"))}
    accepted = {name for name, row in verdicts.items() if row["accepted"]}
    assert accepted == {"JFK LAX", "JFK SFO", "EWR LAX"}
    assert verdicts["EWR noise"]["reason"]
    champions = scored.champions.champions(scored.use_case.name)
    assert {c.name for c in champions} == {f"flights.{n.replace(' ', '.')}" for n in accepted}
    assert {c.tags["metric"] for c in champions} == {scored.use_case.metric}


def test_rows_ahead_are_predicted_by_the_champion_else_by_the_baseline(scored: Pipeline) -> None:
    rows = _named(scored.rows("predictions"))
    by_group = {
        name: {(row["source"], row["candidate"]) for row in rows if row["to"] == name}
        for name in {row["to"] for row in rows}
    }
    best, baseline = scored.use_case.candidate_names[1], scored.use_case.baseline
    assert by_group == {
        **{name: {("model", best)} for name in ("JFK LAX", "JFK SFO", "EWR LAX")},
        **{name: {("baseline", baseline)} for name in ("EWR noise", "EWR young")},
    }
    assert len(rows) == 5 * 8
    assert {row["periods_ahead"] for row in rows} == {1, 2}
    why = {row["to"]: (row["source"], row["reason"]) for row in _named(scored.rows("scoring"))}
    assert why["EWR young"] == ("baseline", "no_champion")
    assert why["EWR broken"] == ("none", "non_finite_value")


def test_a_stock_client_loads_a_champion_and_predicts_as_the_store_says(
    scored: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", scored.production.uri)
    model = mlflow.pyfunc.load_model("models:/flights.JFK.LAX@champion")
    stored = [r for r in _named(scored.rows("predictions")) if r["to"] == "JFK LAX"]
    by_id = pd.DataFrame({n: route()[n] for n in ("flight", "hour", "wind", "carrier")})
    features = by_id.set_index("flight").loc[[r["flight"] for r in stored]]
    assert model.predict(features)["prediction"].tolist() == [r["prediction"] for r in stored]
    odd = pd.DataFrame({"hour": [np.nan, 6.0], "wind": [9.0, None], "carrier": ["new", None]})
    found = model.predict(odd)
    assert found["prediction"].notna().all()
    assert len(found) == 2
    assert list(model.predict(odd.head(0)).columns) == list(found.columns)


def test_the_review_counts_every_row_ahead_and_shows_what_was_predicted(scored: Pipeline) -> None:
    use_case: Any = scored.use_case
    found = count_row_coverage(use_case, ORIGIN, scored.lake, scored.results)
    assert found == RowCoverage(
        groups=6,
        rows_ahead=48,
        scoring_rows=6,
        scored_groups=6,
        unserved_groups=1,
        rows_due=48,
        rows_served=40,
        prediction_rows=40,
    )
    assert found.holds
    assert "40 of 48 rows ahead are predicted, of 5 of 6 groups" in found.text
    lost = [{"prediction_rows": 39}, {"rows_due": 47}, {"scoring_rows": 7}, {"groups": 7}]
    assert not any(replace(found, **figures).holds for figures in lost)
    table = tabulate_predictions(use_case, ORIGIN, scored.results).splitlines()
    assert {"source", "rows"} <= set(table[0].strip("| ").split(" | "))
    assert len(table) >= 4
    nothing = datetime(2024, 1, 1)
    assert tabulate_predictions(use_case, nothing, scored.results).startswith("No row")


def test_training_again_gives_the_same_models_and_scoring_the_same_predictions(
    scored: Pipeline,
) -> None:
    first, before = scored.rows("ledger"), scored.rows("predictions")
    scored.train("JFK", run_id="again")
    second = [row for row in scored.rows("ledger") if row["run_id"] == "again"]
    digests = {row["group_key"]: row["payload_sha256"] for row in first}
    assert {row["group_key"]: row["payload_sha256"] for row in second} == {
        row["group_key"]: digests[row["group_key"]] for row in second
    }
    scored.promote("JFK", run_id="again")
    verdicts = [row for row in scored.rows("verdicts") if row["run_id"] == "again"]
    assert all(row["accepted"] and row["champion_score"] == row["score"] for row in verdicts)
    assert {row["compared_by"] for row in verdicts} == {"the same rows held out"}
    scored.score(ORIGIN)
    after = scored.rows("predictions")
    changing = ("model_version",)
    assert [{n: v for n, v in row.items() if n not in changing} for row in after] == [
        {n: v for n, v in row.items() if n not in changing} for row in before
    ]


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "to": f"{row['origin_airport']} {row['dest']}"} for row in rows]
