from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np

from many_models.core.cost import Cost
from many_models.core.failure import Problem
from many_models.core.forecast.ledger import (
    ForecastOutcome,
    Training,
    training_schema,
    training_table,
)
from many_models.core.forecast.metrics import METRICS
from many_models.core.ledger import GroupOutcome
from many_models_tests.fakes import make_use_case

USE_CASE = make_use_case(features={"static": ["region"]}, validation={"levels": [0.8]})
SKIPPED: ForecastOutcome = GroupOutcome(
    key=("17", "a,b"),
    statics=("North",),
    status="skipped",
    observations=0,
    first_time=None,
    last_time=None,
    cost=Cost(seconds=0.25, core_seconds=0.2),
    problem=Problem("too_few_observations", "0 observations"),
)
TRAINED = replace(
    SKIPPED,
    status="trained",
    observations=5,
    first_time=np.datetime64("2024-01-01T00:00:00.000000"),
    last_time=np.datetime64("2024-01-05T00:00:00.000000"),
    problem=None,
    training=Training(
        candidate="ridge",
        score=0.5,
        baseline_score=1.0,
        candidate_scores="{}",
        coverages={"coverage": float("nan"), "coverage_80": 0.75},
        latest_mae=1.5,
        metrics={name: float(number) for number, name in enumerate(METRICS)},
        folds=2,
        evaluated_from=np.datetime64("2024-01-03T00:00:00.000000"),
        payload=b"model",
        payload_sha256="abc",
    ),
)


def _row(outcome: ForecastOutcome) -> dict[str, object]:
    through = np.datetime64("2024-01-06T00:00:00.000000")
    table = training_table([outcome], USE_CASE, partition="17", trained_through=through)
    assert table.schema == training_schema(USE_CASE)
    row: dict[str, object] = table.to_pylist()[0]
    return row


def test_a_skipped_group_has_its_reason_and_nothing_of_a_model() -> None:
    row = _row(SKIPPED)
    given = {name: value for name, value in row.items() if value is not None}
    assert given == {
        "partition": "17",
        "group_key": "store=17,item=a%2Cb",
        "store": "17",
        "item": "a,b",
        "region": "North",
        "status": "skipped",
        "reason": "too_few_observations",
        "error": "0 observations",
        "observations": 0,
        "trained_through": datetime(2024, 1, 6),
        "seconds": 0.25,
        "core_seconds": 0.2,
    }


def test_a_trained_group_has_its_figures_and_its_payload() -> None:
    row = _row(TRAINED)
    assert [row[name] for name in METRICS] == list(range(len(METRICS)))
    assert (row["candidate"], row["score"], row["baseline_score"]) == ("ridge", 0.5, 1)
    assert (row["first_time"], row["last_time"]) == (datetime(2024, 1, 1), datetime(2024, 1, 5))
    assert row["evaluated_from"] == datetime(2024, 1, 3)
    assert (row["payload"], row["payload_bytes"], row["payload_sha256"]) == (b"model", 5, "abc")
    assert row["reason"] is row["error"] is None
    assert row["coverage_80"] == 0.75


def test_a_trained_group_may_carry_what_went_wrong_with_a_candidate() -> None:
    row = _row(replace(TRAINED, problem=Problem("candidate_failed", "ridge: no luck")))
    assert (row["status"], row["reason"]) == ("trained", "candidate_failed")


def test_no_outcomes_make_a_table_without_rows() -> None:
    table = training_table(
        [], USE_CASE, partition="17", trained_through=np.datetime64("2024-01-06")
    )
    assert table.num_rows == 0
    assert table.schema == training_schema(USE_CASE)
