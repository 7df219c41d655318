"""When a champion has drifted: the part ``drift`` of a use case.

Only the rules live here; what is measured and held against them is in ``drift`` and ``data_shift``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from many_models.core.frequency import Frequency
from many_models.core.section import Section

WINDOWS: Mapping[str, int] = {"h": 168, "D": 28, "W": 13, "MS": 6, "QS": 4, "YS": 3}
"""Recent periods that are looked at, by family of frequency."""

JUDGED: Mapping[str, int] = {"h": 48, "D": 7, "W": 4, "MS": 3, "QS": 2, "YS": 2}
"""Actuals that a champion must have been judged by."""

AGES: Mapping[str, float] = {"h": 90, "D": 90, "W": 180, "MS": 400, "QS": 400, "YS": 800}
"""Days of data that may have come since a model was trained."""

Share = Annotated[float, Field(ge=0, le=1)]


class DriftRules(Section):
    """Which champions have drifted, and how many of a partition may; all have defaults.

    What is not given depends on the frequency: see ``window_of``, ``judged_min_of``, ``age_of``.
    """

    window: Annotated[int, Field(ge=2, le=10_000)] | None = Field(
        default=None, description="recent periods that are looked at"
    )
    judged_min: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="actuals that a champion must have been judged by"
    )
    error_ratio: Annotated[float, Field(ge=1)] = Field(
        default=1.5, description="how many times the promised error is too much"
    )
    shift: Annotated[float, Field(gt=0)] = Field(
        default=0.5, description="standard deviations that data may shift by"
    )
    significance: Annotated[float, Field(gt=0, le=0.1)] = Field(
        default=0.005, description="chance that a group without drift is taken for one"
    )
    max_age_days: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="days of data that may have come since a model was trained"
    )
    share_max: Share = Field(
        default=0.1, description="of a partition's judged champions that may have drifted"
    )
    shifted_share_max: Share = Field(
        default=0.1, description="of a partition's groups whose data may have shifted"
    )
    stale_share_max: Share = Field(
        default=0.0, description="of a partition's champions that may be too old"
    )

    def window_of(self, frequency: Frequency) -> int:
        return self.window or WINDOWS[frequency.family]

    def judged_min_of(self, frequency: Frequency) -> int:
        return self.judged_min or JUDGED[frequency.family]

    def age_of(self, frequency: Frequency) -> float:
        return self.max_age_days or AGES[frequency.family]
