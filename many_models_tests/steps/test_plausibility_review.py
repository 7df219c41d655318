from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from many_models.adapters.lake.tables import Lake
from many_models.core.forecast.scoring import prediction_schema
from many_models.steps.plausibility_review import Plausibility, review_plausibility
from many_models_tests.fakes import make_series, make_use_case
from many_models_tests.stored_results import make_results, put_grouped, put_rows

ORIGIN = datetime(2024, 2, 10)
DAYS = [float(day % 11) for day in range(41)]  # from 0 to 10, until the origin


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake, use_case = Lake(str(tmp_path)), make_use_case()
    for store in ("1", "2"):
        groups: Any = {(store, "tea"): make_series(use_case, "2024-01-01", [*DAYS, 900.0])}
        put_grouped(lake, use_case, store, groups, "2024-02-11T00:00:00")
    return lake


def _review(lake: Lake, highest: float, **rules: float) -> Plausibility:
    """Store 1 is predicted as ever, store 2 also ``highest``."""
    use_case = make_use_case(predictions=rules)
    results = make_results(Path(lake.root), use_case)
    rows = [
        {"store": store, "item": "tea", "prediction": value, "source": "model"}
        for store, values in (("1", [1.0, 9.0]), ("2", [5.0, highest]))
        for value in values
    ]
    put_rows(results, "predictions", prediction_schema(use_case), rows, ORIGIN)
    return review_plausibility(use_case, ORIGIN, lake, results)


def test_predictions_near_what_was_seen_by_the_origin_are_plausible(lake: Lake) -> None:
    found = _review(lake, 20.0)
    assert found == Plausibility(2, 0, ())
    assert found.text(1.0) == "all 2 groups are predicted near what they have been"


def test_a_forecast_that_has_run_away_is_named(lake: Lake) -> None:
    found = _review(lake, 45.0)
    assert (found.groups, found.implausible) == (2, 1)
    (worst,) = found.worst
    assert (worst["group_key"], worst["ranges outside"]) == ("store=2,item=tea", 3.5)
    assert (worst["lowest seen"], worst["highest seen"]) == (0.0, 10.0)
    assert found.text(1.0).startswith("1 of 2 groups are predicted more than 1 times the range")


def test_the_use_case_says_how_far_is_too_far(lake: Lake) -> None:
    assert _review(lake, 45.0, max_ranges_outside=4.0).implausible == 0
