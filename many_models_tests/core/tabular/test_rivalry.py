from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from many_models.core.keys import group_key
from many_models.core.scoring import Champion
from many_models.core.tabular.rivalry import FRESH_ROWS_MIN, Rival, compare_shard
from many_models.core.tabular.training import train_shard
from many_models.core.tabular.use_case import TabularUseCase
from many_models_tests.core.tabular.rows import last_day, make_flights, make_route, shard_of
from many_models_tests.fakes import Columns

JFK = ("JFK", "LAX")
COUNT, ROWS_A_DAY = 400, 4
THROUGH = last_day(make_route(COUNT))
Row = dict[str, Any]


def day(days_before: int) -> np.datetime64:
    return THROUGH - np.timedelta64(days_before, "D")


def train(use_case: TabularUseCase, route: Columns, through: np.datetime64) -> Row:
    table = shard_of(use_case, {JFK: route})
    found = train_shard(table, use_case, partition="JFK", trained_through=through)
    row: Row = found.to_pylist()[0]
    return row


def compare(
    use_case: TabularUseCase, payload: bytes | None, candidate: str, route: Columns | None = None
) -> Row:
    key = group_key(use_case.keys, JFK)
    rows = shard_of(use_case, {JFK: route or make_route(COUNT), ("JFK", "SFO"): make_route(60)})
    rivals = {key: Rival(key, candidate, THROUGH)}
    champions = {key: Champion("flights.JFK.LAX", 1, payload, "its file is lost")}
    (row,) = compare_shard(rows, rivals, champions, use_case).to_pylist()
    assert row["group_key"] == key
    found: Row = row
    return found


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_a_champion_from_before_the_holdout_meets_the_score_of_the_ledger(problem: str) -> None:
    use_case, route = make_flights(problem), make_route(COUNT)
    champion = train(use_case, route, day(30))
    challenger = train(use_case, route, THROUGH)
    row = compare(use_case, champion["payload"], challenger["candidate"])
    assert row["challenger"] == challenger["score"]
    assert row["basis"] == f"the {use_case.metric} on 80 rows that neither has learnt from"
    assert row["champion"] == pytest.approx(row["challenger"], rel=0.2)
    assert row["champion"] != champion["score"]


def test_rows_that_the_champion_has_seen_are_left_out() -> None:
    use_case, route = make_flights(), make_route(COUNT)
    champion = train(use_case, route, day(10))
    row = compare(use_case, champion["payload"], "logistic")
    assert row["basis"] == "the accuracy on 37 rows that neither has learnt from"
    hits = row["champion"] * 37
    assert hits == pytest.approx(round(hits))


def test_what_the_champion_has_seen_changes_nothing_on_rows_that_it_has_not() -> None:
    use_case, route = make_flights(), make_route(COUNT)
    payload = train(use_case, route, day(10))["payload"]
    turned = list(route["late"])
    seen = slice(COUNT - 80, COUNT - 40)  # held out, and before the champion was trained
    turned[seen] = ["late" if late == "on time" else "on time" for late in turned[seen]]
    rows = [
        compare(use_case, payload, "logistic", {**route, "late": t})
        for t in (route["late"], turned)
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(("days", "fresh"), [(0, 0), (7, 25)])
def test_a_champion_that_has_seen_nearly_all_is_not_measured(days: int, fresh: int) -> None:
    use_case = make_flights()
    assert fresh < FRESH_ROWS_MIN
    row = compare(use_case, train(use_case, make_route(COUNT), day(days))["payload"], "logistic")
    assert (row["challenger"], row["champion"]) == (None, None)
    assert row["basis"] == (
        f"the champion has not seen {fresh} of the 80 rows held out, and 30 are needed"
    )


def test_a_stratified_holdout_is_compared_on_its_newer_rows() -> None:
    use_case = make_flights(validation={"holdout": {"by": "stratified", "share": 0.5}})
    payload = train(use_case, make_route(COUNT), day(30))["payload"]
    row = compare(use_case, payload, "logistic")
    rows = int(row["basis"].split(" on ")[1].split()[0])
    assert 30 <= rows < 30 * ROWS_A_DAY
    assert row["champion"] > 0.8


def test_a_class_that_the_champion_never_saw_counts_as_missed() -> None:
    use_case = make_flights(validation={"metric": "log_loss"}, promotion={})
    route = make_route(COUNT)
    payload = train(use_case, route, day(30))["payload"]
    known = compare(use_case, payload, "logistic")
    newer = [*route["late"][:-80], *("lost" for _ in range(40)), *route["late"][-40:]]
    row = compare(use_case, payload, "logistic", {**route, "late": newer})
    assert row["champion"] > known["champion"] + 10


def test_a_champion_knows_classes_that_have_gone() -> None:
    use_case = make_flights(validation={"metric": "log_loss"}, promotion={})
    route = make_route(COUNT)
    three = {**route, "late": ["a while ago" if n < 40 else v for n, v in enumerate(route["late"])]}
    payload = train(use_case, three, day(30))["payload"]
    row = compare(use_case, payload, "logistic", route)
    assert 0 < row["champion"] < 1


def test_a_champion_that_cannot_be_read_says_why() -> None:
    row = compare(make_flights(), None, "logistic")
    assert row["basis"] == "the champion cannot be measured: its file is lost"
    other = make_flights(features={"numeric": ["wind"]})
    row = compare(make_flights(), train(other, make_route(COUNT), day(30))["payload"], "logistic")
    assert "its features are not the use case's" in row["basis"]


def test_an_undefined_metric_compares_nothing() -> None:
    use_case = make_flights("regression", validation={"metric": "r2"})
    route = make_route(COUNT)
    payload = train(use_case, route, day(30))["payload"]
    flat = {**route, "delay": [*route["delay"][:-80], *[5.0] * 80]}
    row = compare(use_case, payload, "ridge", flat)
    assert row["champion"] is None
    assert row["basis"] == "r2 is undefined on the 80 rows that the champion has not seen"
