from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from many_models.core.errors import LakeError
from many_models.core.tabular.dataset import as_features, read_rows
from many_models_tests.core.tabular.rows import START, make_flights, make_route, shard_of

JFK = ("JFK", "LAX")


def test_rows_are_put_in_order_of_time_and_id_and_keep_their_nulls() -> None:
    use_case = make_flights()
    route = make_route(
        3,
        departs=[START, START, START.replace(hour=1)],
        flight=["F9", "F1", "F5"],
        late=["late", None, "on time"],
        carrier=[None, "A", "B"],
        wind=[1.0, 2.0, None],
    )
    rows = read_rows(shard_of(use_case, {JFK: route}), use_case)
    assert rows.row_ids.tolist() == ["F5", "F1", "F9"]
    assert pd.isna(rows.target).tolist() == [False, True, False]
    assert rows.features["carrier"].tolist()[:2] == ["B", "A"]
    assert np.isnan(rows.features["carrier"].tolist()[2])
    assert rows.features["wind"].fillna(-1).tolist() == [-1.0, 2.0, 1.0]
    day = int(np.datetime64("2024-01-01").astype(int))
    assert rows.labelled(0, day).tolist() == [0, 2]
    assert rows.labelled(0, day - 1).tolist() == []


def test_what_is_wrong_with_a_group_is_its_own_problem() -> None:
    use_case = make_flights("regression")
    routes = {
        ("JFK", "1"): make_route(4, flight=["F1"] * 4, departs=[START] * 4),
        ("JFK", "2"): make_route(4, wind=[1.0, float("inf"), 1.0, 1.0]),
        ("JFK", "3"): make_route(4, delay=[1.0, 2.0, float("-inf"), 1.0]),
        ("JFK", "4"): make_route(4, departs=[START, None, START, START]),
        ("JFK", "5"): make_route(4),
    }
    rows = read_rows(shard_of(use_case, routes), use_case)
    assert {rows.keys[g][1]: p.reason for g, p in rows.problems.items()} == {
        **{"1": "duplicate_row", "2": "non_finite_value", "3": "non_finite_value"},
        "4": "missing_time",
    }
    assert "(at 2024-01-01T12:00:00.000000, flight F1)" in rows.problems[1].error


def test_a_group_in_two_places_is_refused() -> None:
    use_case = make_flights()
    table = shard_of(use_case, {JFK: make_route(2), ("JFK", "SFO"): make_route(2)})
    with pytest.raises(LakeError, match="in two places"):
        read_rows(pa.concat_tables([table, table]), use_case)


def test_features_are_numbers_and_text_whatever_they_came_as() -> None:
    given = pd.DataFrame({"wind": [1, 2], "carrier": pd.Categorical([7, None]), "more": 0})
    found = as_features(given, ("wind",), ("carrier",))
    assert found["wind"].dtype == np.float64
    assert found["carrier"].dtype == object
    assert str(found["carrier"][0]).startswith("7")
    assert list(given["wind"]) == [1, 2]


def test_rows_without_a_feature_are_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="column 'carrier' is missing"):
        as_features(pd.DataFrame({"wind": [1.0]}), ("wind",), ("carrier",))
    with pytest.raises(ValueError, match="wind must hold numbers"):
        as_features(pd.DataFrame({"wind": ["strong"]}), ("wind",), ())
