"""What the checks of predictions say, and how loudly."""

import dagster as dg
import pytest

from many_models.core.prediction_rules import Fallbacks, PredictionRules
from many_models.core.use_case import AnyUseCase
from many_models.defs.prediction_checks import (
    describe_prediction_checks,
    judge_fallbacks,
    judge_plausibility,
    judge_sanity,
)
from many_models.steps.fallback_review import FallbackReview
from many_models.steps.plausibility_review import Plausibility
from many_models.steps.sanity_review import Sanity
from many_models_tests.core.tabular.rows import make_flights
from many_models_tests.fakes import make_use_case

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR
REASONS = ({"source": "pooled", "reason": "no_champion", "groups": 4, "example": "none is there"},)


def fallbacks(now: int, before: float | None) -> FallbackReview:
    return FallbackReview(Fallbacks(10, now, before), REASONS, ())


def test_wrong_predictions_are_an_error_with_the_worst_groups() -> None:
    worst = ({"group_key": "store=1", "faulty": 2},)
    result = judge_sanity(Sanity(10, {"not_finite": 2}, 2, 1, worst))
    assert (result.passed, result.severity) == (False, ERROR)
    assert result.metadata["not_finite"] == 2
    assert "| store=1 | 2 |" in result.metadata["worst_groups"].value
    assert judge_sanity(Sanity(10, {"not_finite": 0}, 0, 0)).passed


@pytest.mark.parametrize(
    ("now", "before", "limit", "severity"),
    [
        (4, 0.4, None, None),
        (10, None, None, None),
        (4, 0.1, None, WARN),
        (4, 0.4, 0.3, ERROR),
        (4, 0.1, 0.3, ERROR),
        (3, 0.3, 0.3, None),
    ],
)
def test_a_jump_of_stand_ins_is_a_warning_and_more_than_allowed_an_error(
    now: int, before: float | None, limit: float | None, severity: dg.AssetCheckSeverity | None
) -> None:
    rules = PredictionRules(max_fallback_share=limit)
    result = judge_fallbacks(fallbacks(now, before), rules)
    assert result.passed is (severity is None)
    if severity:
        assert result.severity == severity
        assert result.description.endswith("reasons: no_champion 4")
    assert result.metadata["fallback_share"] == now / 10


def test_implausible_groups_are_a_warning() -> None:
    worst = ({"group_key": "store=1", "ranges outside": 7.5},)
    result = judge_plausibility(Plausibility(9, 1, worst), 1.0)
    assert (result.passed, result.severity) == (False, WARN)
    assert "| store=1 | 7.5 |" in result.metadata["worst_groups"].value
    assert judge_plausibility(Plausibility(9, 0, ()), 1.0).passed


@pytest.mark.parametrize(
    ("use_case", "names"),
    [
        (make_use_case(), {"intervals_sane", "few_fallbacks", "plausible"}),
        (make_flights("regression"), {"values_sane", "few_fallbacks", "plausible"}),
        (make_flights("classification"), {"values_sane", "few_fallbacks"}),
    ],
)
def test_each_shape_of_problem_has_its_checks(use_case: AnyUseCase, names: set[str]) -> None:
    assert set(describe_prediction_checks(use_case)) == {"every_group_covered", *names}
