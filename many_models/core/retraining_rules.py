"""Which causes retrain partitions by themselves, and how much that may cost: the part
``retraining`` of a use case.

Only the rules are here: what follows from them is in ``retraining_causes`` and ``retraining``. How
large a share of models must have drifted is a rule of ``drift``, whose check it is.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from many_models.core.section import Section

Reason = Literal["new_groups", "drift", "changed", "age"]


class RetrainingRules(Section):
    """Rules of the retraining sensor; it asks for partitions, and trains all groups of one.

    ``reasons`` are those that count, and in this order of importance: what comes first is trained
    first when the budget does not suffice for all.
    """

    reasons: Annotated[tuple[Reason, ...], Field(min_length=1)] = (
        "new_groups",
        "drift",
        "changed",
        "age",
    )
    core_minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=240.0, description="what may be asked for within 24 hours; null: any amount"
    )
    cool_down_days: Annotated[float, Field(ge=0, le=365)] = Field(
        default=7.0, description="from one request for a partition to the next, at least"
    )
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        default=3, description="requests for one reason that did not help, before it is given up"
    )
    max_age_days: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="of data since the last training; drift.max_age_days if absent"
    )
    new_groups_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.05, description="of a partition's groups that wait for their first model"
    )
    new_groups_min: Annotated[int, Field(ge=1)] = 1
    code_version: bool = Field(
        default=True, description="whether a new version of the platform is a change"
    )

    @model_validator(mode="after")
    def _reasons_are_distinct(self) -> Self:
        if len(set(self.reasons)) < len(self.reasons):
            raise ValueError("reasons: one of them is given twice; the order is what counts")
        return self
