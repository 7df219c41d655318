from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from many_models.core.actuals import accuracy_schema, join_actuals
from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_shard, make_use_case

BREAD, MILK = ("17", "bread"), ("17", "milk")
THROUGH = np.datetime64("2024-03-04")


def _day(number: int) -> datetime:
    return datetime(2024, 3, number)


def _predictions(use_case: AnyUseCase, rows: list[dict[str, Any]]) -> pa.Table:
    """Predictions in the order given; what is not given is null."""
    schema = shape_of(use_case).prediction_schema(use_case)
    return pa.Table.from_pylist(rows, schema=schema)


def _forecast(key: tuple[str, str], day: int, prediction: float | None) -> dict[str, Any]:
    return {
        "group_key": f"store={key[0]},item={key[1]}",
        **dict(zip(("store", "item"), key, strict=True)),
        "time": _day(day),
        "prediction": prediction,
        "lower": prediction and prediction - 1,
        "upper": prediction and prediction + 1,
        "source": "model",
    }


def _judge(
    forecasts: list[dict[str, Any]], groups: Any, gaps: str = "zero"
) -> list[tuple[Any, ...]]:
    """Item, day, actual, deviation, covered of what could be judged."""
    use_case = make_use_case(gaps=gaps)
    rows = make_shard(use_case, groups)
    found = join_actuals(_predictions(use_case, forecasts), rows, use_case, THROUGH)
    assert found.schema == accuracy_schema(use_case)
    names = ("item", "time", "actual", "deviation", "covered")
    return [tuple(row[n] for n in names) for row in found.to_pylist()]


def test_each_prediction_stands_beside_its_own_groups_actual() -> None:
    forecasts = [_forecast(MILK, 2, 5.0), _forecast(BREAD, 2, 3.0), _forecast(BREAD, 1, 2.0)]
    groups = {
        BREAD: {"date": [_day(1), _day(2)], "sold": [2.5, 7.0]},
        MILK: {"date": [_day(2)], "sold": [4.0]},
    }
    assert _judge(forecasts, groups) == [
        ("bread", _day(1), 2.5, -0.5, 1),
        ("bread", _day(2), 7.0, -4.0, 0),
        ("milk", _day(2), 4.0, 1.0, 1),
    ]


@pytest.mark.parametrize(
    ("gaps", "found"), [("zero", [("bread", _day(3), 0.0, 2.0, 0)]), ("missing", [])]
)
def test_a_gap_is_a_zero_only_where_the_use_case_says_so_and_the_data_has_come(
    gaps: str, found: list[tuple[Any, ...]]
) -> None:
    forecasts = [_forecast(BREAD, 3, 2.0), _forecast(BREAD, 5, 2.0)]
    assert _judge(forecasts, {BREAD: {"date": [_day(1)], "sold": [1.0]}}, gaps) == found


def test_a_null_target_and_a_row_that_is_there_twice_say_nothing() -> None:
    forecasts = [_forecast(BREAD, 1, 2.0), _forecast(BREAD, 2, 2.0), _forecast(BREAD, 3, 2.0)]
    series = {"date": [_day(1), _day(2), _day(2), _day(3)], "sold": [None, 2.0, 3.0, 4.0]}
    assert _judge(forecasts, {BREAD: series}) == [("bread", _day(3), 4.0, -2.0, 0)]


def test_a_group_that_was_not_predicted_is_not_judged() -> None:
    series = {"date": [_day(1)], "sold": [1.0]}
    assert _judge([_forecast(BREAD, 1, None)], {BREAD: series, MILK: series}) == []


def test_a_row_late_in_its_period_belongs_to_it() -> None:
    series = {"date": [datetime(2024, 3, 2, 23, 59)], "sold": [3.0]}
    assert _judge([_forecast(BREAD, 2, 3.0)], {BREAD: series}) == [("bread", _day(2), 3.0, 0.0, 1)]


def test_rows_of_one_moment_are_told_apart_by_their_id_and_classes_hit_or_miss() -> None:
    use_case, moment = make_flights(), datetime(2024, 3, 2, 8, 30)
    names = (*use_case.keys, use_case.row_id)
    given = [
        {
            **dict(zip(names, ("JFK", "LAX", flight), strict=True)),
            "time": moment,
            "prediction": "on",
        }
        for flight in ("AA1", "AA2", "AA3")
    ]
    columns = {
        use_case.time.column: [moment] * 2,
        use_case.row_id: ["AA2", "AA1"],
        use_case.target: ["late", "on"],
    }
    routes: Any = {("JFK", "LAX"): columns}
    rows = make_shard(use_case, routes)
    found = join_actuals(_predictions(use_case, given), rows, use_case, THROUGH)
    assert found.schema == accuracy_schema(use_case)
    assert "deviation" not in found.column_names
    judged = found.select([use_case.row_id, "actual", "hit"]).to_pylist()
    assert [tuple(row.values()) for row in judged] == [("AA1", "on", 1), ("AA2", "late", 0)]
