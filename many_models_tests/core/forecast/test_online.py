from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.errors import RequestError
from many_models.core.failure import Problem
from many_models.core.forecast.online import (
    _with_wanted,
    make_ready,
    read_wanted,
    score_history,
)
from many_models.core.forecast.scoring import score_shard
from many_models.core.forecast.training import train_shard
from many_models.core.forecast.use_case import UseCase
from many_models.core.keys import group_key
from many_models.core.online import OUT_OF_REACH, Answer, GroupHistory
from many_models.core.scoring import Champion
from many_models_tests.fakes import Columns, make_series, make_shard, make_use_case, noisy_weeks

GROUPS, DAYS, HORIZON = 12, 120, 7
END = np.datetime64("2024-04-29")  # the last of the days observed
WITH_PRICES = make_use_case(
    candidates=["seasonal_naive", "ridge", "gradient_boosting"], features={"known": ["price"]}
)
WITHOUT = make_use_case(candidates=["seasonal_naive", "ridge"])
Key = tuple[str, str]
FIRST = "store=1,item=item 0"


def series_of(use_case: UseCase, count: int = GROUPS) -> dict[Key, Columns]:
    """Groups of different lengths, their rows of the horizon without a target."""
    draw = np.random.default_rng(0)
    groups: dict[Key, Columns] = {}
    for number in range(count):
        sold = [*noisy_weeks(DAYS - number % 3, number), *[None] * HORIZON]
        price = {"price": draw.uniform(1, 9, len(sold)).round(2).tolist()}
        known = price if use_case.features.known else {}
        start = str(np.datetime64("2024-01-01") + number % 3)
        groups["1", f"item {number}"] = make_series(use_case, start, sold, **known)
    return groups


def train(use_case: UseCase) -> dict[str, Champion]:
    return _train_once(use_case is WITH_PRICES)


@cache
def _train_once(with_prices: bool) -> dict[str, Champion]:
    use_case = WITH_PRICES if with_prices else WITHOUT
    return train_anew(use_case, make_shard(use_case, series_of(use_case)))


def train_anew(use_case: UseCase, shard: pa.Table) -> dict[str, Champion]:
    trained = train_shard(shard, use_case, partition="1", trained_through=END).to_pylist()
    keys = [group_key(use_case.keys, (row["store"], row["item"])) for row in trained]
    return {
        key: Champion(f"sales.{key}", 1, row["payload"])
        for key, row in zip(keys, trained, strict=True)
    }


def batch(
    shard: pa.Table, champions: Mapping[str, Champion], use_case: UseCase, groups: int = GROUPS
) -> list[Any]:
    found = score_shard(shard, champions, use_case, partition="1", origin=END)[0]
    rows: list[Any] = found.to_pylist()
    assert len(rows) == groups * HORIZON
    return rows


def asked(rows: list[Any], use_case: UseCase, groups: Mapping[Key, Columns]) -> dict[str, Any]:
    """A request for the rows that batch scoring predicted."""
    columns = {name: [row[name] for row in rows] for name in use_case.keys}
    if use_case.features.known:
        last = {key: series["price"][-HORIZON:] for key, series in groups.items()}
        columns["price"] = [last[r["store"], r["item"]][r["periods_ahead"] - 1] for r in rows]
    return {**columns, "date": [row["time"].isoformat() for row in rows]}


@pytest.mark.parametrize("use_case", [WITH_PRICES, WITHOUT], ids=["prices", "nothing known"])
def test_online_and_batch_predictions_of_the_same_rows_are_equal_bit_for_bit(
    use_case: UseCase,
) -> None:
    groups = series_of(use_case)
    shard = make_shard(use_case, groups)
    champions = train(use_case)
    expected = batch(shard, champions, use_case)
    assert {row["source"] for row in expected} == {"model"}
    wanted = read_wanted(asked(expected, use_case, groups), use_case)
    for number, key in enumerate(groups):
        rows = np.arange(HORIZON) + number * HORIZON
        champion = champions[group_key(use_case.keys, key)]
        answer = make_ready(champion, key, use_case).answer(wanted, rows)
        assert isinstance(answer, Answer)
        assert (answer.source, answer.origin) == ("model", END)
        for name, values in answer.columns.items():
            assert values.tolist() == [expected[row][name] for row in rows], (key, name)


def test_a_thousand_groups_get_the_same_bits_online_as_in_batch() -> None:
    """Two groups in three have a champion."""
    use_case = make_use_case(candidates=["seasonal_naive", "ridge"], features={"known": ["price"]})
    groups = series_of(use_case, 1_000)
    shard = make_shard(use_case, groups)
    champions = enumerate(train_anew(use_case, shard).items())
    served = dict(champion for number, champion in champions if number % 3)
    expected = batch(shard, served, use_case, len(groups))
    wanted = read_wanted(asked(expected, use_case, groups), use_case)
    differing = []
    for number, key in enumerate(groups):
        rows = np.arange(HORIZON) + number * HORIZON
        champion = served.get(group_key(use_case.keys, key))
        history = GroupHistory(make_shard(use_case, {key: groups[key]}), END)
        answer = (
            make_ready(champion, key, use_case).answer(wanted, rows)
            if champion
            else score_history(history, wanted, rows, key, {}, use_case, "1")
        )
        assert isinstance(answer, Answer)
        assert answer.source == expected[rows[0]]["source"]
        for name, values in answer.columns.items():
            if values.tolist() != [expected[row][name] for row in rows]:
                differing.append((key, name))
    assert differing == []


@pytest.mark.parametrize("use_case", [WITH_PRICES, WITHOUT], ids=["prices", "nothing known"])
def test_from_the_lake_a_group_is_scored_as_batch_scores_it_with_a_champion_or_without(
    use_case: UseCase,
) -> None:
    groups = series_of(use_case)
    shard = make_shard(use_case, groups)
    champions = dict(list(train(use_case).items())[: GROUPS // 2])
    expected = batch(shard, champions, use_case)
    assert {row["source"] for row in expected} == {"model", "baseline"}
    wanted = read_wanted(asked(expected, use_case, groups), use_case)
    for number, key in enumerate(groups):
        rows = np.arange(HORIZON) + number * HORIZON
        history = GroupHistory(make_shard(use_case, {key: groups[key]}), END)
        answer = score_history(history, wanted, rows, key, champions, use_case, "1")
        assert isinstance(answer, Answer)
        for place, row in enumerate(rows):
            assert answer.source == expected[row]["source"]
            assert answer.columns["prediction"][place] == expected[row]["prediction"]
            assert answer.columns["upper"][place] == expected[row]["upper"]


def test_rows_come_in_any_order_and_number() -> None:
    ready = make_ready(train(WITHOUT)[FIRST], ("1", "item 0"), WITHOUT)
    columns = {"store": ["1"] * 7, "item": ["item 0"] * 7}
    dates = [str(END + n) for n in range(1, 8)]
    whole = ready.answer(read_wanted({**columns, "date": dates}, WITHOUT), np.arange(7))
    turned = ready.answer(read_wanted({**columns, "date": dates[::-1]}, WITHOUT), np.array([0, 4]))
    assert isinstance(whole, Answer)
    assert isinstance(turned, Answer)
    values = whole.columns["prediction"]
    assert turned.columns["prediction"].tolist() == [values[6], values[2]]


def test_what_nobody_knows_is_forecast_by_nobody_and_says_so() -> None:
    nothing = GroupHistory(make_shard(WITHOUT, {}), END)
    columns = {"store": ["9"], "item": ["new"], "date": ["2024-05-01"]}
    wanted = read_wanted(columns, WITHOUT)
    found = score_history(nothing, wanted, np.array([0]), ("9", "new"), {}, WITHOUT, "9")
    assert isinstance(found, Problem)
    assert found.reason == "no_observations"


def test_a_new_groups_static_features_may_be_told_but_the_lake_knows_better() -> None:
    use_case = make_use_case(features={"static": ["region"]})
    columns = {"store": ["9"], "item": ["new"], "date": ["2024-05-01"], "region": ["north"]}
    wanted = read_wanted(columns, use_case)
    there = {("9", "new"): series_with("south")}
    for known, region in (({}, "north"), (there, "south")):
        history = make_shard(use_case, known)
        table = _with_wanted(history, wanted, np.array([0]), ("9", "new"), use_case)
        assert set(table["region"].to_pylist()) == {region}


def series_with(region: str) -> Columns:
    return make_series(WITHOUT, "2024-01-01", [1.0, 2.0], region=[region] * 2)


@pytest.mark.parametrize("date", ["2024-04-29", "2024-05-07", "1901-01-01"])
def test_a_time_outside_of_the_horizon_is_told_with_the_times_that_can_be_forecast(
    date: str,
) -> None:
    wanted = read_wanted({"store": ["1"], "item": ["item 0"], "date": [date]}, WITHOUT)
    found = make_ready(train(WITHOUT)[FIRST], ("1", "item 0"), WITHOUT).answer(
        wanted, np.array([0])
    )
    assert isinstance(found, Problem)
    assert found.reason == OUT_OF_REACH
    assert "from 2024-04-30T00:00:00 to 2024-05-06T00:00:00" in found.error


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (None, "row 0 is None"),
        (1714521600000, "write a time such as"),
        ("tomorrow", "write a time such as"),
        ("2024-05-01T12:00", "not on the grid"),
        ("2024-05-01T00:00:00Z", "time zone"),
    ],
)
def test_what_is_no_time_of_the_grid_is_refused(date: Any, text: str) -> None:
    with pytest.raises(RequestError, match=text):
        read_wanted({"store": ["1"], "item": ["a"], "date": [date]}, WITHOUT)


def test_a_time_that_occurs_twice_in_a_group_is_refused() -> None:
    columns = {"store": ["1", "2", "1"], "item": ["a"] * 3, "date": ["2024-05-01"] * 3}
    with pytest.raises(RequestError, match="occurs twice"):
        read_wanted(columns, WITHOUT)


def test_a_champion_of_another_group_does_not_answer() -> None:
    with pytest.raises(ValueError, match="another group"):
        make_ready(train(WITHOUT)[FIRST], ("1", "item 1"), WITHOUT)


def test_a_client_is_told_which_rows_a_champion_takes() -> None:
    told = make_ready(train(WITH_PRICES)[FIRST], ("1", "item 0"), WITH_PRICES).describe()
    assert told["columns"] == ["store", "item", "date", "price"]
    assert (told["from"], told["to"]) == ("2024-04-30T00:00:00", "2024-05-06T00:00:00")
