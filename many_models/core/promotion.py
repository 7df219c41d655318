"""The business rules: which challengers qualify for production, and why the others do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from many_models.core.forecast.use_case import BASELINE
from many_models.core.use_case import PromotionRules

BEAT_CHAMPION = "beat_champion_by"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger and the champion by the same figure; ``basis`` says which, and on which data."""

    challenger: float
    champion: float
    basis: str


@dataclass(frozen=True, slots=True)
class Challenger:
    """A newly trained model with the scores of its evaluation beside the baseline's.

    Lower scores are better unless ``higher_is_better``; ``comparison`` is None where the group has
    no champion yet.
    """

    group_key: str
    candidate: str
    score: float
    baseline_score: float
    coverage: float | None
    comparison: Comparison | None
    baseline: str = BASELINE
    higher_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model may go to production, with every reason against it (empty when it may).

    ``outdone`` is one that only its champion stands in the way of; ``broken`` names the rules, as
    in the use case, that do not hold.
    """

    group_key: str
    qualified: bool
    reason: str
    outdone: bool = False
    broken: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it would be good enough, were there no champion."""
        return self.qualified or self.outdone


def judge(challenger: Challenger, rules: PromotionRules) -> Verdict:
    """Verdict on one challenger: all rules must hold."""
    reasons = {
        "max_score": _against_most(challenger, rules),
        "min_score": _against_least(challenger, rules),
        "beat_baseline_by": _against_baseline(challenger, rules),
        "min_coverage": _against_coverage(challenger, rules),
        BEAT_CHAMPION: _against_champion(challenger, rules),
    }
    broken = {rule: reason for rule, reason in reasons.items() if reason}
    return Verdict(
        challenger.group_key,
        qualified=not broken,
        reason="; ".join(broken.values()),
        outdone=list(broken) == [BEAT_CHAMPION],
        broken=tuple(broken),
    )


def share_sound(verdicts: Sequence[Verdict]) -> float:
    """Share of the verdicts on models that are good enough; 1 where there is nothing to judge.

    A champion that is still the best says nothing against the partition's data or models.
    """
    return sum(v.sound for v in verdicts) / len(verdicts) if verdicts else 1.0


def _against_most(challenger: Challenger, rules: PromotionRules) -> str | None:
    score = challenger.score
    if rules.max_score is None or score <= rules.max_score:
        return None
    return f"score {score:.6g} is above max_score {rules.max_score:g}"


def _against_least(challenger: Challenger, rules: PromotionRules) -> str | None:
    score = challenger.score
    if rules.min_score is None or score >= rules.min_score:
        return None
    return f"score {score:.6g} is below min_score {rules.min_score:g}"


def _against_baseline(challenger: Challenger, rules: PromotionRules) -> str | None:
    baseline, margin = challenger.baseline_score, rules.beat_baseline_by
    if challenger.candidate == challenger.baseline:
        return "no candidate beats the baseline"
    if challenger.score != baseline and _holds(challenger, challenger.score, baseline, margin):
        return None
    return _misses(challenger, challenger.score, margin, f"the baseline's {baseline:.6g}")


def _against_champion(challenger: Challenger, rules: PromotionRules) -> str | None:
    """A challenger may equal the champion when no margin is asked: a retrained model is fresher."""
    found, margin = challenger.comparison, rules.beat_champion_by
    if found is None or _holds(challenger, found.challenger, found.champion, margin):
        return None
    rival = f"the champion's {found.champion:.6g}"
    reason = _misses(challenger, found.challenger, margin, rival)
    return f"{reason}, by {found.basis}"


def _holds(challenger: Challenger, score: float, rival: float, margin: float) -> bool:
    """Whether a score is as good as a rival's, or better by a fraction of the rival's size."""
    if challenger.higher_is_better:
        return score >= rival + margin * abs(rival)
    return score <= rival * (1 - margin)


def _misses(challenger: Challenger, score: float, margin: float, rival: str) -> str:
    side = "above" if challenger.higher_is_better else "below"
    return f"score {score:.6g} is not {f'{100 * margin:g}% ' if margin else ''}{side} {rival}"


def _against_coverage(challenger: Challenger, rules: PromotionRules) -> str | None:
    coverage, least = challenger.coverage, rules.min_coverage
    if least is None:
        return None
    if coverage is None or math.isnan(coverage):
        return "interval coverage could not be measured (it takes two folds)"
    if coverage >= least:
        return None
    return f"interval coverage {coverage:.6g} is below min_coverage {least:g}"
