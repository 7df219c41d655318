from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from many_models.core.forecast.use_case import PromotionRules
from many_models.core.promotion import Challenger, Comparison, Verdict, judge, share_sound

NAN = float("nan")
GOOD = Challenger(
    group_key="store=1",
    candidate="ridge",
    score=0.8,
    baseline_score=1.0,
    coverage=0.9,
    comparison=None,
)


def _against(champion: float, challenger: float = 0.8) -> Comparison:
    return Comparison(challenger, champion, "the backtest")


def _reason(rules: dict[str, float], **changes: Any) -> str:
    verdict = judge(replace(GOOD, **changes), PromotionRules(**rules))
    assert verdict.group_key == "store=1"
    assert verdict.qualified is (verdict.reason == "")
    return verdict.reason


def test_a_model_that_beats_the_baseline_qualifies_when_nothing_else_is_asked() -> None:
    assert _reason({}) == ""


@pytest.mark.parametrize(("score", "qualifies"), [(0.79, True), (0.8, True), (0.81, False)])
def test_a_score_may_reach_the_threshold_but_not_exceed_it(score: float, qualifies: bool) -> None:
    reason = _reason({"max_score": 0.8}, score=score)
    assert reason == ("" if qualifies else "score 0.81 is above max_score 0.8")


@pytest.mark.parametrize(
    ("margin", "score", "qualifies"),
    [
        (0.0, 0.999, True),
        (0.0, 1.0, False),
        (0.0, 1.1, False),
        (0.1, 0.9, True),
        (0.1, 0.91, False),
    ],
)
def test_a_model_must_beat_the_baseline_by_the_margin(
    margin: float, score: float, qualifies: bool
) -> None:
    reason = _reason({"beat_baseline_by": margin}, score=score)
    assert (reason == "") is qualifies
    if not qualifies:
        assert f"score {score:.4g} is not" in reason
        assert "the baseline's 1" in reason


def test_the_margin_over_the_baseline_is_named() -> None:
    assert _reason({"beat_baseline_by": 0.05}, score=0.96) == (
        "score 0.96 is not 5% below the baseline's 1"
    )
    assert _reason({}, score=1.0) == "score 1 is not below the baseline's 1"


def test_the_baseline_itself_is_never_promoted() -> None:
    reason = _reason({}, candidate="seasonal_naive", score=1.0)
    assert reason == "no candidate beats the baseline"


@pytest.mark.parametrize(
    ("margin", "score", "qualifies"),
    [(0.0, 0.8, True), (0.0, 0.81, False), (0.1, 0.72, True), (0.1, 0.73, False)],
)
def test_a_model_must_beat_the_champion_by_the_margin_or_equal_it_without_one(
    margin: float, score: float, qualifies: bool
) -> None:
    reason = _reason({"beat_champion_by": margin}, comparison=_against(0.8, score))
    assert (reason == "") is qualifies
    if not qualifies:
        assert f"score {score:.4g} is " in reason
        assert "the champion's 0.8" in reason


def test_the_margin_over_the_champion_is_named() -> None:
    reason = _reason({"beat_champion_by": 0.02}, comparison=_against(0.81))
    assert reason == "score 0.8 is not 2% below the champion's 0.81, by the backtest"
    assert (
        _reason({}, comparison=_against(0.7))
        == "score 0.8 is not below the champion's 0.7, by the backtest"
    )


def test_a_first_model_has_no_champion_to_beat() -> None:
    assert _reason({"beat_champion_by": 0.5}) == ""


@pytest.mark.parametrize(
    ("coverage", "reason"),
    [
        (0.9, ""),
        (0.7, ""),
        (0.699, "interval coverage 0.699 is below min_coverage 0.7"),
        (NAN, "interval coverage could not be measured (it takes two folds)"),
        (None, "interval coverage could not be measured (it takes two folds)"),
    ],
)
def test_an_interval_must_cover_what_is_asked(coverage: float | None, reason: str) -> None:
    assert _reason({"min_coverage": 0.7}, coverage=coverage) == reason
    assert _reason({}, coverage=coverage) == ""


def test_every_rule_that_is_broken_is_named() -> None:
    rules = {"max_score": 0.5, "min_coverage": 0.95, "beat_baseline_by": 0.5}
    reason = _reason(rules, comparison=_against(0.6))
    assert reason.split("; ") == [
        "score 0.8 is above max_score 0.5",
        "score 0.8 is not 50% below the baseline's 1",
        "interval coverage 0.9 is below min_coverage 0.95",
        "score 0.8 is not below the champion's 0.6, by the backtest",
    ]
    verdict = judge(replace(GOOD, comparison=_against(0.6)), PromotionRules(**rules))
    broken = ("max_score", "beat_baseline_by", "min_coverage", "beat_champion_by")
    assert (verdict.broken, verdict.outdone) == (broken, False)


def test_a_model_that_only_its_champion_outdoes_is_sound() -> None:
    verdict = judge(replace(GOOD, comparison=_against(0.6)), PromotionRules(max_score=0.8))
    assert (verdict.broken, verdict.outdone, verdict.sound) == (("beat_champion_by",), True, True)


def test_an_undefined_score_never_qualifies() -> None:
    assert (
        _reason({"max_score": 9.0}, score=NAN, comparison=_against(1.0, NAN)).count("score nan")
        == 3
    )


def test_the_share_is_that_of_the_models_that_are_good_enough() -> None:
    verdicts = [Verdict(str(n), n < 3, "") for n in range(4)]
    assert share_sound(verdicts) == 0.75
    assert share_sound(verdicts[3:]) == 0
    assert share_sound([]) == 1


def test_a_partition_is_no_worse_for_champions_that_are_still_the_best() -> None:
    asked = PromotionRules(max_score=0.9)
    outdone = judge(replace(GOOD, comparison=_against(0.6)), asked)
    poor = judge(replace(GOOD, score=0.95, comparison=_against(0.6, 0.95)), asked)
    assert (outdone.qualified, outdone.sound) == (False, True)
    assert (poor.qualified, poor.sound) == (False, False)
    assert share_sound([outdone, poor]) == 0.5


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (0.85, ""),
        (0.841, ""),
        (0.80, "score 0.8 is not 5% above the baseline's 0.8"),
        (0.82, "score 0.82 is not 5% above the baseline's 0.8"),
        (0.79, "score 0.79 is below min_score 0.8; score 0.79 is not 5% above the baseline's 0.8"),
    ],
)
def test_where_higher_is_better_all_rules_point_the_other_way(score: float, reason: str) -> None:
    better = {"higher_is_better": True, "baseline": "majority_class", "candidate": "logistic"}
    rules = {"min_score": 0.8, "beat_baseline_by": 0.05}
    assert _reason(rules, score=score, baseline_score=0.8, **better) == reason


def test_where_higher_is_better_a_challenger_must_reach_the_champion() -> None:
    better = {"higher_is_better": True, "baseline_score": 0.1}
    assert _reason({}, comparison=_against(0.8), **better) == ""
    assert _reason({}, comparison=_against(0.81), **better) == (
        "score 0.8 is not above the champion's 0.81, by the backtest"
    )


def test_a_margin_over_a_negative_score_asks_for_more_not_for_less() -> None:
    rules, better = {"beat_baseline_by": 0.5}, {"higher_is_better": True, "baseline_score": -0.2}
    assert _reason(rules, score=-0.1, **better) == ""
    assert _reason(rules, score=-0.15, **better) != ""


def test_the_baseline_of_any_problem_is_never_promoted() -> None:
    named = {"candidate": "majority_class", "baseline": "majority_class"}
    assert _reason({}, score=0.5, **named) == "no candidate beats the baseline"
