"""When predictions deserve an operator's attention: the part ``predictions`` of a use case.

Who is served by what stands in for a model, and how far a prediction may be from all that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from many_models.core.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


class PredictionRules(Section):
    """Limits of the checks on predictions; all have defaults."""

    max_fallback_share: Share | None = Field(
        default=None, description="of groups that no model of their own serves; more is an error"
    )
    max_fallback_rise: Share = Field(
        default=0.05, description="of that share since the origin before; more is a warning"
    )
    max_ranges_outside: Annotated[float, Field(gt=0)] = Field(
        default=1.0,
        description="how far outside of its history a group may be predicted, in ranges of that",
    )


@dataclass(frozen=True, slots=True)
class Fallbacks:
    """Groups that got predictions from one origin, and how many of them from a stand-in.

    A stand-in is the partition's pooled model or the baseline. ``previous_share`` is theirs at the
    origin before, None where there is none.
    """

    served: int
    by_fallback: int
    previous_share: float | None

    @property
    def share(self) -> float:
        return self.by_fallback / self.served if self.served else 0.0

    @property
    def rise(self) -> float:
        return 0.0 if self.previous_share is None else self.share - self.previous_share

    @property
    def text(self) -> str:
        before = self.previous_share
        since = "" if before is None else f", {before:.1%} at the origin before"
        return (
            f"{self.by_fallback} of {self.served} groups with predictions ({self.share:.1%}) are "
            f"served by a stand-in{since}"
        )

    def too_many(self, rules: PredictionRules) -> bool:
        """Whether there are more than the use case allows at any time."""
        return rules.max_fallback_share is not None and self.share > rules.max_fallback_share

    def jumped(self, rules: PredictionRules) -> bool:
        """Whether there are more of a sudden."""
        return self.rise > rules.max_fallback_rise
