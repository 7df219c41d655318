"""The business rules: which challengers qualify for production, and why the others do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from many_models.core.use_case import BASELINE, Promotion


@dataclass(frozen=True, slots=True)
class Challenger:
    """A newly trained model with the scores of its backtest; lower scores are better."""

    group_key: str
    candidate: str
    score: float
    baseline_score: float
    coverage: float | None
    champion_score: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model may go to production, with every reason against it (empty when it may)."""

    group_key: str
    qualified: bool
    reason: str


def judge(challenger: Challenger, rules: Promotion) -> Verdict:
    """Verdict on one challenger: all rules must hold."""
    reasons = [
        reason
        for reason in (
            _against_threshold(challenger, rules),
            _against_baseline(challenger, rules),
            _against_champion(challenger, rules),
            _against_coverage(challenger, rules),
        )
        if reason
    ]
    return Verdict(challenger.group_key, not reasons, "; ".join(reasons))


def share_qualified(verdicts: Sequence[Verdict]) -> float:
    """Share of the verdicts that qualify; 1 where there is nothing to judge."""
    return sum(v.qualified for v in verdicts) / len(verdicts) if verdicts else 1.0


def _against_threshold(challenger: Challenger, rules: Promotion) -> str | None:
    if rules.max_score is None or challenger.score <= rules.max_score:
        return None
    return f"score {challenger.score:.4g} is above max_score {rules.max_score:g}"


def _against_baseline(challenger: Challenger, rules: Promotion) -> str | None:
    if challenger.candidate == BASELINE:
        return "no candidate beats the baseline"
    least = challenger.baseline_score * (1 - rules.beat_baseline_by)
    if challenger.score < challenger.baseline_score and challenger.score <= least:
        return None
    margin = f"{rules.beat_baseline_by:.1%}"
    return f"score {challenger.score:.4g} is not {margin} below the baseline's {challenger.baseline_score:.4g}"


def _against_champion(challenger: Challenger, rules: Promotion) -> str | None:
    """A challenger may equal the champion when no margin is asked: a retrained model is fresher."""
    if challenger.champion_score is None:
        return None
    least = challenger.champion_score * (1 - rules.beat_champion_by)
    if challenger.score <= least:
        return None
    margin = f"{rules.beat_champion_by:.1%}"
    return f"score {challenger.score:.4g} is not {margin} below the champion's {challenger.champion_score:.4g}"


def _against_coverage(challenger: Challenger, rules: Promotion) -> str | None:
    if rules.min_coverage is None:
        return None
    if challenger.coverage is None or math.isnan(challenger.coverage):
        return "interval coverage could not be measured (it takes two folds)"
    if challenger.coverage >= rules.min_coverage:
        return None
    return f"interval coverage {challenger.coverage:.1%} is below min_coverage {rules.min_coverage:.1%}"
