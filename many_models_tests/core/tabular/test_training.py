from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from many_models.core.cost import Allowance
from many_models.core.tabular.model import load_model
from many_models.core.tabular.training import train_shard
from many_models.core.tabular.use_case import TabularUseCase
from many_models_tests.core.tabular.rows import last_day, make_flights, make_route, shard_of
from many_models_tests.fakes import Columns

JFK = ("JFK", "LAX")
THROUGH = last_day(make_route())


class RefusesCarrierZ(LogisticRegression):  # type: ignore[misc]
    """Fails on groups in which carrier Z flies."""

    def fit(self, x: Any, y: Any) -> RefusesCarrierZ:
        if (x["carrier"] == "Z").any():
            raise RuntimeError("no Z, please")
        super().fit(x[["wind"]].fillna(0), y)
        return self

    def predict(self, x: Any) -> Any:
        return super().predict(x[["wind"]].fillna(0))

    def predict_proba(self, x: Any) -> Any:
        return super().predict_proba(x[["wind"]].fillna(0))


def train(
    use_case: TabularUseCase, routes: Mapping[Any, Columns], through: np.datetime64 = THROUGH
) -> list[dict[str, Any]]:
    table = shard_of(use_case, routes)
    found = train_shard(table, use_case, partition="JFK", trained_through=through)
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def test_the_best_candidate_is_chosen_on_rows_it_has_not_seen_and_refitted_on_all() -> None:
    row = train(make_flights(candidates="auto"), {JFK: make_route()})[0]
    assert (row["status"], row["observations"], row["holdout_rows"]) == ("trained", 200, 40)
    scores = json.loads(row["candidate_scores"])
    assert row["score"] == row["accuracy"] == max(scores.values()) > 0.9
    assert row["baseline_score"] == row["baseline_accuracy"] == scores["majority_class"] < 0.8
    assert set(json.loads(row["candidate_metrics"])["logistic"]) == {"accuracy", "f1", "log_loss"}
    model = load_model(row["payload"])
    assert (model.rows, model.classes, model.key) == (200, ("late", "on time"), JFK)
    assert str(row["evaluated_from"]) == "2024-02-10 06:00:00"


def test_a_regression_is_scored_in_the_targets_unit() -> None:
    row = train(make_flights("regression"), {JFK: make_route()})[0]
    assert row["candidate"] == "ridge"
    assert row["score"] == row["mae"] == pytest.approx(1.66, abs=0.05)
    assert row["baseline_mae"] > 5 * row["mae"]
    assert row["r2"] > 0.9


def test_each_group_that_cannot_be_trained_says_why_and_its_neighbours_go_on() -> None:
    count = 60
    routes = {
        ("JFK", "1"): make_route(10),
        ("JFK", "2"): make_route(count, late=["late"] * count),
        ("JFK", "3"): make_route(count, wind=[float("inf")] * count),
        ("JFK", "4"): make_route(count, late=[None] * count),
        ("JFK", "5"): make_route(count),
        ("JFK", "6"): make_route(count, departs=[make_route(1)["departs"][0]] * count),
    }
    rows = train(make_flights(), routes)
    assert [(row["dest"], row["status"], row["reason"]) for row in rows] == [
        ("1", "skipped", "too_few_rows"),
        ("2", "skipped", "one_class"),
        ("3", "failed", "non_finite_value"),
        ("4", "skipped", "too_few_rows"),
        ("5", "trained", None),
        ("6", "skipped", "no_holdout"),
    ]
    assert rows[1]["error"] == "late is late in all rows"
    assert rows[3]["observations"] == 0


def test_a_constant_number_is_not_worth_a_model() -> None:
    row = train(make_flights("regression"), {JFK: make_route(60, delay=[2.5] * 60)})[0]
    assert (row["status"], row["reason"]) == ("skipped", "constant_target")


def test_a_candidate_that_fails_is_told_of_and_the_others_compete() -> None:
    path = f"{__name__}.{RefusesCarrierZ.__name__}"
    own = {"estimator": path, "name": "own", "encoding": "none"}
    use_case = make_flights(candidates=["majority_class", own])
    routes = {JFK: make_route(), ("JFK", "SFO"): make_route(carrier=["Z"] * 200)}
    good, bad = train(use_case, routes)
    assert (good["candidate"], good["reason"]) == ("own", None)
    assert (bad["status"], bad["candidate"]) == ("trained", "majority_class")
    assert (bad["reason"], bad["error"]) == ("candidate_failed", "own: RuntimeError: no Z, please")
    assert bad["traceback"].startswith("own: Traceback")


def test_where_nothing_helps_the_baseline_wins() -> None:
    draw = np.random.default_rng(1)
    late = draw.choice(["late", "on time"], 200, p=[0.1, 0.9]).tolist()
    row = train(make_flights(), {JFK: make_route(late=late)})[0]
    assert row["candidate"] == "majority_class"
    assert row["score"] == row["baseline_score"]


def test_what_happens_after_the_origin_changes_nothing() -> None:
    route, use_case = make_route(), make_flights(candidates="auto")
    origin = np.datetime64("2024-02-05")
    future = [n for n, time in enumerate(route["departs"]) if time.day > 5 and time.month == 2]
    changed = {name: list(values) for name, values in route.items()}
    for row in future:
        changed["late"][row], changed["wind"][row] = "diverted", 1e6
    first, second = (train(use_case, {JFK: r}, origin)[0] for r in (route, changed))
    assert first["payload_sha256"] == second["payload_sha256"]
    assert first["observations"] == 200 - len(future)


def test_the_same_rows_give_the_same_models_in_whatever_order_they_come() -> None:
    forest = {"estimator": "sklearn.ensemble.RandomForestClassifier", "with": {"n_estimators": 5}}
    use_case = make_flights(
        candidates=["majority_class", forest, "gradient_boosting"],
        validation={"holdout": {"by": "stratified"}, "metric": "log_loss"},
    )
    route, order = make_route(), np.random.default_rng(3).permutation(200)
    mixed = {name: [values[n] for n in order] for name, values in route.items()}
    first, second = (train(use_case, {JFK: rows})[0] for rows in (route, mixed))
    for row in (first, second):
        del row["seconds"], row["core_seconds"]
    assert first == second


def test_a_class_that_shows_only_in_the_holdout_is_survived() -> None:
    late = [*make_route()["late"][:190], *["diverted"] * 10]
    row = train(make_flights(candidates="auto"), {JFK: make_route(late=late)})[0]
    assert (row["status"], row["classes"], row["reason"]) == ("trained", 3, None)
    assert np.isfinite(row["log_loss"])


def test_a_positive_class_that_a_group_never_has_scores_nothing() -> None:
    use_case = make_flights(validation={"metric": "f1", "positive_class": "diverted"})
    row = train(use_case, {JFK: make_route()})[0]
    assert (row["f1"], row["candidate"]) == (0.0, "majority_class")


def test_a_metric_that_no_candidate_has_is_a_reason_to_skip() -> None:
    use_case = make_flights("regression", validation={"metric": "r2", "holdout": {"share": 0.01}})
    route = make_route(60)
    row = train(use_case, {JFK: route}, last_day(route))[0]
    assert (row["status"], row["reason"]) == ("skipped", "undefined_score")


def test_a_shard_without_rows_has_no_outcomes() -> None:
    use_case = make_flights()
    empty: pa.Table = shard_of(use_case, {})
    assert train_shard(empty, use_case, partition="JFK", trained_through=THROUGH).num_rows == 0


def test_the_holdout_has_no_say_in_the_choice() -> None:
    use_case, route = make_flights(candidates="auto"), make_route()
    turned = ["on time" if text == "late" else "late" for text in route["late"][160:]]
    first, second = (
        train(use_case, {JFK: make_route(late=late)})[0]
        for late in (route["late"], [*route["late"][:160], *turned])
    )
    assert first["candidate_ratings"] == second["candidate_ratings"]
    assert first["candidate"] == second["candidate"] != "majority_class"
    assert first["score"] > 0.9 > 0.1 > second["score"]


def test_rows_that_cannot_be_divided_twice_get_the_baseline() -> None:
    first, last = make_route()["departs"][0], make_route()["departs"][-1]
    row = train(make_flights(), {JFK: make_route(departs=[*[first] * 150, *[last] * 50])})[0]
    assert (row["status"], row["candidate"]) == ("trained", "majority_class")
    assert (row["holdout_rows"], row["candidate_ratings"]) == (50, "{}")


def test_when_the_budget_is_spent_the_rest_is_skipped_and_says_so() -> None:
    use_case = make_flights()
    routes = {JFK: make_route(), ("JFK", "SFO"): make_route()}
    table = shard_of(use_case, routes)
    found = train_shard(
        table, use_case, partition="JFK", trained_through=THROUGH, allowance=Allowance(0.0)
    )
    assert found["status"].to_pylist() == ["skipped"] * 2
    assert found["reason"].to_pylist() == ["budget_spent"] * 2
