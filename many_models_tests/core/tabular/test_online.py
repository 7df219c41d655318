from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from many_models.core.errors import RequestError
from many_models.core.failure import Problem
from many_models.core.keys import group_key
from many_models.core.online import Answer, GroupHistory
from many_models.core.scoring import Champion
from many_models.core.tabular.online import make_ready, read_wanted, score_history
from many_models.core.tabular.scoring import score_shard
from many_models.core.tabular.training import train_shard
from many_models_tests.core.tabular.rows import make_flights, make_route, shard_of

ORIGIN = np.datetime64("2024-02-15")
COLUMNS = ("origin_airport", "dest", "flight", "hour", "wind", "carrier")
ROUTES: dict[tuple[str, str], Any] = {("JFK", f"D{n}"): make_route(seed=n) for n in range(5)}
ROUTES["JFK", "calm"] = make_route(wind=[None] * 200)


@cache
def train(problem: str) -> dict[str, Champion]:
    use_case = make_flights(problem, days_ahead=7)
    table = shard_of(use_case, ROUTES)
    rows = train_shard(table, use_case, partition="JFK", trained_through=ORIGIN).to_pylist()
    return {
        group_key(use_case.keys, key): Champion(f"flights.{key[1]}", 2, row["payload"])
        for key, row in zip(ROUTES, rows, strict=True)
    }


def request_of(key: tuple[str, str], flights: list[str]) -> dict[str, Any]:
    route = ROUTES[key]
    places = [int(flight[1:]) for flight in flights]
    keys = {"origin_airport": [key[0]] * len(flights), "dest": [key[1]] * len(flights)}
    own = {name: [route[name][n] for n in places] for name in COLUMNS[2:]}
    return {**keys, **own}


@pytest.mark.parametrize("problem", ["classification", "regression"])
@pytest.mark.parametrize("lake", [False, True], ids=["champions", "lake"])
def test_online_and_batch_predictions_of_the_same_rows_are_equal_bit_for_bit(
    problem: str, lake: bool
) -> None:
    use_case = make_flights(problem, days_ahead=7)
    champions = train(problem)
    if lake:  # half of the groups have none, and get the baseline
        champions = dict(list(champions.items())[:3])
    table = shard_of(use_case, ROUTES)
    scored = score_shard(table, champions, use_case, partition="JFK", origin=ORIGIN)[0].to_pylist()
    for key in ROUTES:
        expected = [row for row in scored if row["dest"] == key[1]]
        wanted = read_wanted(request_of(key, [row["flight"] for row in expected]), use_case)
        rows = np.arange(len(expected))
        with threadpool_limits(1):
            if lake:
                history = GroupHistory(shard_of(use_case, {key: ROUTES[key]}), ORIGIN)
                found = score_history(history, wanted, rows, key, champions, use_case, "JFK")
            else:
                champion = champions[group_key(use_case.keys, key)]
                found = make_ready(champion, key, use_case).answer(wanted, rows)
        assert isinstance(found, Answer)
        assert found.source == expected[0]["source"]
        for name, values in found.columns.items():
            assert values.tolist() == [row[name] for row in expected], (key, name)


def test_a_group_that_nobody_knows_has_no_prediction() -> None:
    use_case = make_flights()
    history = GroupHistory(shard_of(use_case, {}), ORIGIN)
    wanted = read_wanted(request_of(("JFK", "D0"), ["F1"]), use_case)
    found = score_history(history, wanted, np.array([0]), ("JFK", "XXX"), {}, use_case, "JFK")
    assert isinstance(found, Problem)
    assert found.reason == "no_observations"


@pytest.mark.parametrize(
    ("name", "value"), [("wind", "strong"), ("carrier", 1.5), ("carrier", ["A"]), ("flight", {})]
)
def test_values_of_the_wrong_kind_are_refused_by_name(name: str, value: Any) -> None:
    columns = {**request_of(("JFK", "D0"), ["F1"]), name: [value]}
    with pytest.raises(RequestError, match=name):
        read_wanted(columns, make_flights())


def test_the_row_id_may_be_left_out_but_no_feature() -> None:
    columns = request_of(("JFK", "D0"), ["F1"])
    assert len(read_wanted({n: columns[n] for n in columns if n != "flight"}, make_flights())) == 1
    with pytest.raises(RequestError, match="'wind' is missing"):
        read_wanted({n: columns[n] for n in columns if n != "wind"}, make_flights())
