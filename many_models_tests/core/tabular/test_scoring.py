from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from many_models.core.keys import group_key
from many_models.core.scoring import Champion
from many_models.core.tabular.scoring import score_shard
from many_models.core.tabular.training import train_shard
from many_models.core.tabular.use_case import TabularUseCase
from many_models_tests.core.tabular.rows import make_flights, make_route, shard_of

JFK, SFO = ("JFK", "LAX"), ("JFK", "SFO")
ORIGIN = np.datetime64("2024-02-15T18:00")  # sixty rows of make_route come after this day
Rows = list[dict[str, Any]]


def champion_of(use_case: TabularUseCase, **columns: Any) -> bytes:
    table = shard_of(use_case, {JFK: make_route(**columns)})
    row = train_shard(table, use_case, partition="JFK", trained_through=ORIGIN).to_pylist()[0]
    payload: bytes = row["payload"]
    return payload


def score(
    use_case: TabularUseCase,
    champions: dict[tuple[str, str], bytes | None],
    routes: dict[tuple[str, str], Any] | None = None,
    origin: np.datetime64 = ORIGIN,
) -> tuple[Rows, Rows]:
    by_key = {
        group_key(use_case.keys, key): Champion("flights.JFK", 3, payload, "lost the bytes")
        for key, payload in champions.items()
    }
    table = shard_of(use_case, routes or {JFK: make_route(), SFO: make_route(seed=1)})
    found = score_shard(table, by_key, use_case, partition="JFK", origin=origin)
    return found[0].to_pylist(), found[1].to_pylist()


def test_rows_after_the_origin_are_predicted_by_the_champion_else_by_the_baseline() -> None:
    use_case = make_flights(days_ahead=2)
    predictions, ledger = score(use_case, {JFK: champion_of(use_case)})
    assert [(row["dest"], row["source"], row["candidate"]) for row in ledger] == [
        ("LAX", "model", "logistic"),
        ("SFO", "baseline", "majority_class"),
    ]
    assert [row["rows_due"] for row in ledger] == [8, 8]
    first, last = predictions[0], predictions[-1]
    assert str(first["time"]) == "2024-02-16 00:00:00"
    assert (first["flight"], first["periods_ahead"], first["model_version"]) == ("F183", 1, 3)
    assert (last["source"], last["periods_ahead"], last["model_version"]) == ("baseline", 2, None)
    truth = dict(zip(make_route()["flight"], make_route()["late"], strict=True))
    hits = [r["prediction"] == truth[r["flight"]] for r in predictions if r["dest"] == "LAX"]
    assert sum(hits) >= 7


def test_a_target_that_has_come_meanwhile_makes_no_difference() -> None:
    use_case = make_flights(days_ahead=2)
    champions: dict[tuple[str, str], bytes | None] = {JFK: champion_of(use_case)}
    unknown = make_route(late=[*make_route()["late"][:183], *[None] * 17])
    assert score(use_case, champions)[0][:8] == score(use_case, champions, {JFK: unknown})[0]


def test_a_regression_predicts_numbers_and_its_baseline_the_mean() -> None:
    use_case = make_flights("regression", days_ahead=1)
    predictions, _ = score(use_case, {})
    known = list(make_route()["delay"][:183])
    assert predictions[0]["prediction"] == pytest.approx(np.mean(known))
    assert "probability" not in predictions[0]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"features": {"numeric": ["hour"], "categorical": ["carrier"]}}, "features are not the"),
        ({}, "lost the bytes"),
    ],
)
def test_a_champion_that_cannot_serve_is_replaced_by_the_baseline_and_says_why(
    fields: dict[str, Any], text: str
) -> None:
    payload = champion_of(make_flights(**fields)) if fields else None
    _, ledger = score(make_flights(), {JFK: payload})
    assert (ledger[0]["source"], ledger[0]["reason"]) == ("baseline", "champion_failed")
    assert text in ledger[0]["error"]


def test_a_champion_of_another_group_or_from_the_future_does_not_serve() -> None:
    use_case = make_flights()
    payload = champion_of(use_case)
    assert "another group" in score(use_case, {SFO: payload})[1][1]["error"]
    early = score(use_case, {JFK: payload}, origin=np.datetime64("2024-02-10"))[1][0]
    assert "it has seen data after this origin" in early["error"]


def test_a_group_that_cannot_be_predicted_has_a_row_that_says_why() -> None:
    use_case = make_flights(days_ahead=1)
    count = 200
    routes = {
        ("JFK", "1"): make_route(20),
        ("JFK", "2"): make_route(late=[None] * count),
        ("JFK", "3"): make_route(wind=[float("inf")] * count),
        ("JFK", "4"): make_route(late=["late"] * count, carrier=[None] * count),
    }
    predictions, ledger = score(use_case, {}, routes)
    assert [(row["source"], row["reason"]) for row in ledger] == [
        ("none", "no_rows"),
        ("none", "no_observations"),
        ("none", "non_finite_value"),
        ("baseline", "no_champion"),
    ]
    assert {row["dest"] for row in predictions} == {"4"}
    assert predictions[0]["prediction"] == "late"
    assert predictions[0]["probability"] == 1.0
