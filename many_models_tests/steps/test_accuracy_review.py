from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from many_models.adapters.lake.tables import Lake
from many_models.core.actuals import accuracy_schema
from many_models.core.forecast.scoring import prediction_schema
from many_models.core.forecast.use_case import UseCase
from many_models.steps.accuracy_review import Judged, count_judged, measure_coverage
from many_models.steps.results import Results
from many_models_tests.fakes import make_series, make_use_case
from many_models_tests.stored_results import make_results, put_grouped, put_rows

ORIGIN = datetime(2024, 2, 10)
LEVELS = {"interval": 0.9, "levels": [0.5]}


def _predict(results: Results, use_case: UseCase, days: int = 4) -> list[dict[str, Any]]:
    """Groups of stores 1 and 2, so many days ahead."""
    rows = [
        {
            "store": store,
            "item": "tea",
            "time": datetime(2024, 2, 10 + day),
            "prediction": 5.0,
            "source": "model",
        }
        for store in ("1", "2")
        for day in range(1, days + 1)
    ]
    put_rows(results, "predictions", prediction_schema(use_case), rows, ORIGIN)
    return rows


def _judge(folder: Path, use_case: UseCase, judged: int) -> Judged:
    """Data of store 1 goes three days beyond the origin, of store 2 one; so many have an actual."""
    lake, results = Lake(str(folder)), make_results(folder, use_case)
    for store, through in {"1": "2024-02-13T00:00:00", "2": "2024-02-11T00:00:00"}.items():
        groups: Any = {(store, "tea"): make_series(use_case, "2024-01-01", [1.0])}
        put_grouped(lake, use_case, store, groups, through)
    rows = _predict(results, use_case)
    put_rows(results, "accuracy", accuracy_schema(use_case), rows[:judged], ORIGIN)
    return count_judged(use_case, ORIGIN, lake, results)


def test_what_the_data_has_reached_is_due_and_nothing_else(tmp_path: Path) -> None:
    found = _judge(tmp_path, make_use_case(), judged=3)
    assert (found.due, found.judged, found.holds) == (4, 3, False)
    assert found.text == (
        "3 of 4 predictions whose time has come have an actual (75.0%; at least 99% are expected)"
    )
    assert found.worst == (
        {"partition": "2", "group_key": "store=2,item=tea", "due": 1, "judged": None},
    )


def test_where_gaps_are_no_zeros_many_may_lack_an_actual(tmp_path: Path) -> None:
    assert _judge(tmp_path, make_use_case(gaps="missing"), judged=3).holds


def test_before_data_has_come_nothing_is_due(tmp_path: Path) -> None:
    use_case, lake = make_use_case(), Lake(str(tmp_path))
    results = make_results(tmp_path, use_case)
    groups: Any = {("1", "tea"): make_series(use_case, "2024-01-01", [1.0])}
    put_grouped(lake, use_case, "1", groups, "2024-02-10T00:00:00")
    _predict(results, use_case)
    found = count_judged(use_case, ORIGIN, lake, results)
    assert (found.due, found.holds) == (0, True)
    assert found.text == "the data does not reach what was predicted yet"


@pytest.fixture
def measured(tmp_path: Path) -> Results:
    """Wide intervals hold for store 1, and half of the time for store 2; narrow ones never do."""
    use_case = make_use_case(validation=LEVELS)
    results = make_results(tmp_path, use_case)
    bounds = {"lower": 0.0, "upper": 10.0, "lower_50": 4.0, "upper_50": 6.0}
    rows = [
        {
            **bounds,
            "store": store,
            "item": "tea",
            "prediction": 5.0,
            "actual": actual,
            "deviation": 5.0 - actual,
            "covered": int(0 <= actual <= 10),
        }
        for store, actuals in {"1": [1.0, 2.0], "2": [3.0, 30.0]}.items()
        for actual in actuals
    ]
    put_rows(results, "accuracy", accuracy_schema(use_case), rows, ORIGIN)
    return results


def test_coverage_is_measured_at_every_level_and_the_worst_group_is_first(
    measured: Results,
) -> None:
    levels, worst = measure_coverage(make_use_case(validation=LEVELS), ORIGIN, measured)
    assert [(f.level, f.judged, f.covered, f.groups) for f in levels] == [
        (0.9, 4, 3, 2),
        (0.5, 4, 0, 2),
    ]
    assert [(row["group_key"], row["coverage"], row["mae"]) for row in worst] == [
        ("store=2,item=tea", 0.5, 13.5),
        ("store=1,item=tea", 1.0, 3.5),
    ]


def test_where_nothing_was_measured_there_is_nothing_to_judge(tmp_path: Path) -> None:
    use_case = make_use_case()
    (level,), worst = measure_coverage(use_case, ORIGIN, make_results(tmp_path, use_case))
    assert (level.judged, level.coverage, worst) == (0, None, ())
