"""Skill: the share of the baseline's error that a model takes away, as people understand at once.

1 is without error, 0 as good as the baseline, below 0 worse. An error is the score itself, or what
it lacks to 1 where higher scores are better (accuracy, F1, R2): these cannot exceed 1.
"""

from __future__ import annotations

import numpy as np

from many_models.core.arrays import Floats
from many_models.core.use_case import AnyUseCase


def skill(score: Floats, baseline: Floats, *, higher_is_better: bool) -> Floats:
    """Skill of each score beside the baseline's; NaN where the baseline makes no error."""
    error, least = (1 - score, 1 - baseline) if higher_is_better else (score, baseline)
    there = np.where(least > 0, least, np.nan)
    found: Floats = 1 - error / there
    return found


def skill_sql(use_case: AnyUseCase, score: str = "score", baseline: str = "baseline_score") -> str:
    """The same as an SQL expression of two columns, NULL where there is none."""
    if use_case.higher_is_better:
        return f"1.0 - (1.0 - {score}) / NULLIF(1.0 - {baseline}, 0)"
    return f"1.0 - {score} / NULLIF({baseline}, 0)"
