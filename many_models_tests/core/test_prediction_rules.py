from __future__ import annotations

import pytest

from many_models.core.prediction_rules import Fallbacks, PredictionRules


@pytest.mark.parametrize(("now", "jumped"), [(14, False), (15, False), (16, True)])
def test_a_rise_of_more_than_five_points_is_a_jump(now: int, jumped: bool) -> None:
    assert Fallbacks(100, now, previous_share=0.10).jumped(PredictionRules()) is jumped


def test_the_first_origin_cannot_jump() -> None:
    found = Fallbacks(10, 10, None)
    assert not found.jumped(PredictionRules())
    assert not found.too_many(PredictionRules())
    assert found.text == "10 of 10 groups with predictions (100.0%) are served by a stand-in"


def test_a_limit_holds_at_any_time() -> None:
    rules = PredictionRules(max_fallback_share=0.2)
    assert Fallbacks(10, 3, 0.3).too_many(rules)
    assert not Fallbacks(10, 2, 0.0).too_many(rules)


def test_without_predictions_nobody_is_served_by_a_stand_in() -> None:
    assert Fallbacks(0, 0, 0.5).share == 0.0
