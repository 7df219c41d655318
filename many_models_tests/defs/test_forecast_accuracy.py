"""What is shown of an origin's accuracy, and what its checks say."""

import dagster as dg

from many_models.core.interval_coverage import LevelCoverage
from many_models.defs.forecast_accuracy import (
    describe_accuracy,
    judge_completeness,
    judge_coverage,
)
from many_models.steps.accuracy_review import Judged
from many_models.steps.measure_accuracy import OriginAccuracy

WARN = dg.AssetCheckSeverity.WARN


def test_an_error_that_was_not_measured_is_not_shown() -> None:
    assert describe_accuracy(OriginAccuracy(7, 0, float("nan"))) == {
        "predictions": 7,
        "judged": 0,
        "dagster/partition_row_count": 0,
    }
    assert describe_accuracy(OriginAccuracy(7, 7, 0.5))["error"] == 0.5


def test_actuals_that_are_missing_are_a_warning_with_the_groups() -> None:
    worst = ({"partition": "1", "group_key": "store=1", "due": 7, "judged": None},)
    result = judge_completeness(Judged(14, 7, 0.99, worst))
    assert (result.passed, result.severity) == (False, WARN)
    assert result.metadata["judged_share"] == 0.5
    assert "| 1 | store=1 | 7 |  |" in result.metadata["worst_groups"].value
    assert judge_completeness(Judged(14, 14, 0.99, ())).passed


def test_one_level_that_does_not_hold_fails_all() -> None:
    wide, narrow = LevelCoverage(0.9, 100, 91, 100), LevelCoverage(0.5, 100, 10, 100)
    result = judge_coverage([wide, narrow], ())
    assert (result.passed, result.severity) == (False, WARN)
    assert result.metadata == {"coverage_90": 0.91, "coverage_50": 0.1}
    assert result.description == (
        "90% intervals cover 91.0% of 100 actuals; "
        "50% intervals cover 10.0% of 100 actuals: they are too narrow"
    )
    assert judge_coverage([wide], ()).passed


def test_before_anything_is_judged_there_is_no_coverage_to_plot() -> None:
    result = judge_coverage([LevelCoverage(0.9, 0, 0, 0)], ())
    assert (result.passed, result.metadata) == (True, {})
