"""The use case of a forecast: one problem, described in one YAML file.

Only the description lives here, with every rule about what may stand in the file. Reading it is
``load_use_case``; acting on it is everybody else's work. What all shapes of problems share is in
``use_case_shape``.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from many_models.core.forecast.candidates.description import (
    BASELINE,
    POOLED,
    ForecastCandidate,
    check_candidates,
)
from many_models.core.forecast.inventory_rules import InventoryRules
from many_models.core.forecast.public_holidays import FAMILIES as FAMILIES_WITH_HOLIDAYS
from many_models.core.forecast.public_holidays import check_region
from many_models.core.forecast.validation import MetricName, Validation
from many_models.core.frequency import Frequency, FrequencyCode
from many_models.core.reserved_columns import INVENTORY_COLUMNS, RESULT_COLUMNS
from many_models.core.section import Section
from many_models.core.use_case import (
    AnyUseCase,
    Identifier,
    PromotionRules,
    RowTime,
    UseCaseName,
)

__all__ = [
    "BASELINE",
    "POOLED",
    "AnyUseCase",
    "Identifier",
    "PromotionRules",
    "UseCase",
    "UseCaseName",
    "as_identifier",
]


class Time(RowTime):
    frequency: FrequencyCode


class KnownFeature(Section):
    """A feature whose future is known, and how a period without a row gets its value."""

    name: Identifier
    fill: Literal["last", "zero"] = "last"


class Features(Section):
    """Columns beside the target.

    Known features have values for the future too (rows whose target is null); past-only features
    enter as lags no younger than the horizon; static features are carried as tags of the model.
    ``holidays`` is the region whose public holidays matter: a country's code such as US, or DE-BY.
    """

    known: tuple[KnownFeature, ...] = ()
    past: tuple[Identifier, ...] = ()
    static: tuple[Identifier, ...] = ()
    holidays: str | None = None

    @field_validator("holidays", mode="before")
    @classmethod
    def _norway_is_no_truth_value(cls, value: object) -> object:
        return "NO" if value is False else value

    @field_validator("holidays")
    @classmethod
    def _holidays_are_known(cls, value: str | None) -> str | None:
        if value is not None:
            check_region(value)
        return value

    @field_validator("known", mode="before")
    @classmethod
    def _names_are_short_for_features(cls, value: object) -> object:
        if isinstance(value, (list, tuple)):
            return [{"name": item} if isinstance(item, str) else item for item in value]
        return value

    @property
    def known_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.known)


class PooledModels(Section):
    """One model over all groups of a partition: a candidate of each, and what young ones have.

    It is made where ``candidates`` name it or are ``auto``.
    """

    groups_min: Annotated[int, Field(ge=2)] = Field(
        default=10, description="a partition of fewer groups gets none"
    )
    rows: Annotated[int, Field(ge=1_000)] = Field(
        default=100_000, description="that it learns from, about; they bound memory and seconds"
    )


class UseCase(AnyUseCase):
    """A forecast: source, group keys, target over time, features, candidates and rules."""

    problem: Literal["forecast"] = "forecast"
    time: Time
    horizon: Annotated[int, Field(ge=1, le=10_000)]
    gaps: Literal["zero", "missing"]
    prediction_floor: float | None = None
    features: Features = Features()
    candidates: Annotated[tuple[ForecastCandidate, ...], Field(min_length=1)] | None = Field(
        default=None, description="auto when absent: chosen for each group by its series"
    )
    ensembles: bool = True
    pooled: PooledModels = PooledModels()
    seconds_per_group: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="nominal core-seconds that candidates: auto may spend on a group"
    )
    validation: Validation = Validation()
    inventory: InventoryRules | None = Field(
        default=None, description="safety stock and reorder points, of those who keep stock"
    )

    @field_validator("candidates", mode="before")
    @classmethod
    def _auto_is_the_default(cls, value: object) -> object:
        return None if value == "auto" else value

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.promotion.min_score is not None:
            raise ValueError("promotion.min_score: lower scores are better here; give max_score")
        if self.features.holidays and self.frequency.family not in FAMILIES_WITH_HOLIDAYS:
            code = self.time.frequency
            raise ValueError(f"features.holidays: frequency {code!r} has no days; leave them away")
        if self.candidates is not None:
            check_candidates(self.candidates)
        if self.inventory is not None:
            self.inventory.check(self.horizon, self.features.static, self.features.past)
        return self

    def wants_pooled(self, groups: int) -> bool:
        """Whether a partition of so many groups gets a pooled model."""
        asked_for = self.candidates is None or POOLED in self.candidate_names
        return asked_for and groups >= self.pooled.groups_min

    @cached_property
    def frequency(self) -> Frequency:
        return Frequency(self.time.frequency)

    @property
    def step(self) -> int:
        """Periods between the origins of two backtest folds."""
        return self.validation.step or self.horizon

    @property
    def numeric_columns(self) -> tuple[str, ...]:
        return (self.target, *self.features.known_names, *self.features.past)

    @property
    def text_columns(self) -> tuple[str, ...]:
        return self.features.static

    @property
    def static_columns(self) -> tuple[str, ...]:
        return self.features.static

    @property
    def result_columns(self) -> Set[str]:
        rules = self.validation
        stock = () if self.inventory is None else INVENTORY_COLUMNS
        return RESULT_COLUMNS.union(rules.bound_columns, rules.coverage_columns, stock)

    @property
    def unknown_ahead(self) -> tuple[str, ...]:
        return (self.target, *self.features.past)

    @property
    def periods_ahead(self) -> int:
        return self.horizon

    @property
    def planned_periods(self) -> int:
        """The horizon where features are known in the future: rows of these are without target."""
        return self.horizon if self.features.known else 0

    @property
    def metric(self) -> MetricName:
        return self.validation.metric

    @property
    def higher_is_better(self) -> bool:
        return False

    @property
    def baseline(self) -> str:
        return BASELINE

    @property
    def candidate_names(self) -> tuple[str, ...]:
        return tuple(candidate.name for candidate in self.candidates or ())

    @property
    def column_roles(self) -> list[tuple[str, str]]:
        return [
            *(("keys", name) for name in self.keys),
            ("time.column", self.time.column),
            ("target", self.target),
            *(("features.known", name) for name in self.features.known_names),
            *(("features.past", name) for name in self.features.past),
            *(("features.static", name) for name in self.features.static),
        ]


def as_identifier(text: str) -> str:
    """Nearest valid use case name to any text."""
    name = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")[:40]
    return name if name[:1].isalpha() else f"use_case_{name}"[:40]
