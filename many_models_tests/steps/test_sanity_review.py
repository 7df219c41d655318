from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from many_models.core.shapes import shape_of
from many_models.core.use_case import AnyUseCase
from many_models.steps.sanity_review import Sanity, inspect_predictions
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case
from many_models_tests.stored_results import make_results, put_rows

ORIGIN = datetime(2024, 2, 10)
LEVELS = make_use_case(validation={"interval": 0.9, "levels": [0.5]}, prediction_floor=0)
SANE: dict[str, Any] = {
    "store": "1",
    "item": "tea",
    "prediction": 5.0,
    "lower": 1.0,
    "upper": 9.0,
    "lower_50": 3.0,
    "upper_50": 7.0,
}
NO_INTERVAL = {"lower": None, "upper": None, "lower_50": None, "upper_50": None}


def _inspect(folder: Path, use_case: AnyUseCase, *rows: dict[str, Any]) -> Sanity:
    results = make_results(folder, use_case)
    put_rows(results, "predictions", shape_of(use_case).prediction_schema(use_case), rows, ORIGIN)
    return inspect_predictions(use_case, ORIGIN, results)


def test_sane_predictions_with_and_without_intervals_pass(tmp_path: Path) -> None:
    found = _inspect(tmp_path, LEVELS, SANE, {**SANE, **NO_INTERVAL})
    assert found.holds
    assert found.text == "all 2 predictions are sane"


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"prediction": None}, "not_finite"),
        ({"upper": float("inf")}, "not_finite"),
        ({"lower": None}, "half_an_interval"),
        ({"prediction": 0.9, **NO_INTERVAL, "lower": 1.0, "upper": 2.0}, "outside_its_interval"),
        ({"upper_50": 9.5}, "levels_not_nested"),
        ({"lower_50": 0.5}, "levels_not_nested"),
        ({"prediction": -1.0, **NO_INTERVAL}, "below_prediction_floor"),
        ({"lower": -1.0}, "below_prediction_floor"),
    ],
)
def test_each_fault_is_found_and_its_group_named(
    tmp_path: Path, changed: dict[str, Any], fault: str
) -> None:
    found = _inspect(tmp_path, LEVELS, SANE, {**SANE, "item": "jam", **changed})
    assert {name for name, count in found.faults.items() if count} == {fault}
    assert not found.holds
    assert [row["group_key"] for row in found.worst] == ["store=1,item=jam"]
    assert found.text.startswith("1 of 2 predictions are wrong, of 1 groups: 1 ")


def test_a_target_may_be_negative_where_no_floor_is_set(tmp_path: Path) -> None:
    row = {**SANE, "prediction": -5.0, **NO_INTERVAL}
    use_case = make_use_case()
    assert _inspect(tmp_path, use_case, {k: v for k, v in row.items() if "_50" not in k}).holds


def test_another_origin_is_another_matter(tmp_path: Path) -> None:
    assert not _inspect(tmp_path, LEVELS, {**SANE, "prediction": None}).holds
    assert inspect_predictions(LEVELS, datetime(2024, 2, 9), make_results(tmp_path, LEVELS)).holds


@pytest.mark.parametrize(
    ("problem", "row", "holds"),
    [
        ("classification", {"prediction": "late", "probability": 0.7}, True),
        ("classification", {"prediction": "late", "probability": 1.2}, False),
        ("regression", {"prediction": 3.0}, True),
        ("regression", {"prediction": float("-inf")}, False),
    ],
)
def test_rows_are_judged_by_what_they_predict(
    tmp_path: Path, problem: str, row: dict[str, Any], holds: bool
) -> None:
    assert _inspect(tmp_path, make_flights(problem), row).holds is holds
