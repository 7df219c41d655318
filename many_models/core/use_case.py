"""The use case: one problem, described in one YAML file.

Only the description lives here, with every rule about what may stand in the file. Reading it is
``load_use_case``; acting on it is everybody else's work.
"""

from __future__ import annotations

import re
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from many_models.core.frequency import Frequency, FrequencyCode
from many_models.core.reserved_columns import LAKE_COLUMNS, RESULT_COLUMNS
from many_models.core.section import Section
from many_models.core.validation import Validation

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
UseCaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
CandidateName = Literal[
    "seasonal_naive",
    "mean",
    "median",
    "ridge",
    "gradient_boosting",
    "ets",
    "theta",
    "optimized_theta",
    "ces",
    "croston",
    "sba",
    "tsb",
]
BASELINE: CandidateName = "seasonal_naive"


class Source(Section):
    """Where the data comes from.

    ``query`` is a SELECT with the bound parameters ``:window_start`` and ``:window_end`` (half
    open); ``table`` is short for the plain query of one table.
    """

    url: str = Field(
        min_length=1, description="database URL; ${NAME} is taken from the environment"
    )
    query: str | None = None
    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*$")] | None = None
    window: Literal["daily", "weekly", "monthly"] = "daily"
    start: date
    end: date | None = Field(default=None, description="last day of the data; open when absent")

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Self:
        if (self.query is None) == (self.table is None):
            raise ValueError("give either query or table, not both or neither")
        if self.query is not None:
            missing = [p for p in (":window_start", ":window_end") if p not in self.query]
            if missing:
                raise ValueError(f"query lacks {' and '.join(missing)}: it must select one window")
        if self.end is not None and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class Partitioning(Section):
    """Dagster's partitions: a key column's values (``by``), or hash buckets (``hash``)."""

    by: Identifier | None = None
    hash: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if (self.by is None) == (self.hash is None):
            raise ValueError("give either by (a key column) or hash (a number of buckets)")
        return self


class Time(Section):
    column: Identifier
    frequency: FrequencyCode


class KnownFeature(Section):
    """A feature whose future is known, and how a period without a row gets its value."""

    name: Identifier
    fill: Literal["last", "zero"] = "last"


class Features(Section):
    """Columns beside the target.

    Known features have values for the future too (rows whose target is null); past-only features
    enter as lags no younger than the horizon; static features are carried as tags of the model.
    """

    known: tuple[KnownFeature, ...] = ()
    past: tuple[Identifier, ...] = ()
    static: tuple[Identifier, ...] = ()

    @field_validator("known", mode="before")
    @classmethod
    def _names_are_short_for_features(cls, value: object) -> object:
        if isinstance(value, (list, tuple)):
            return [{"name": item} if isinstance(item, str) else item for item in value]
        return value

    @property
    def known_names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.known)


class PromotionRules(Section):
    """The business rules; a model qualifies when all that are given hold.

    Shares and margins are fractions: ``beat_baseline_by: 0.05`` asks for a score at least 5% lower.
    """

    max_score: Annotated[float, Field(gt=0)] | None = None
    beat_baseline_by: Annotated[float, Field(ge=0, lt=1)] = 0.0
    beat_champion_by: Annotated[float, Field(ge=0, lt=1)] = 0.0
    min_coverage: Annotated[float, Field(ge=0, le=1)] | None = None
    min_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class UseCase(Section):
    """One problem: source, group keys, target, features, candidates and rules."""

    name: UseCaseName
    description: str = ""
    source: Source
    keys: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=8)]
    partitioning: Partitioning
    time: Time
    target: Identifier
    horizon: Annotated[int, Field(ge=1, le=10_000)]
    gaps: Literal["zero", "missing"]
    prediction_floor: float | None = None
    features: Features = Features()
    candidates: Annotated[tuple[CandidateName, ...], Field(min_length=1)] | None = Field(
        default=None, description="auto when absent: chosen for each group by its series"
    )
    ensembles: bool = True
    seconds_per_group: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="nominal core-seconds that candidates: auto may spend on a group"
    )
    validation: Validation = Validation()
    promotion: PromotionRules = PromotionRules()

    @field_validator("candidates", mode="before")
    @classmethod
    def _auto_is_the_default(cls, value: object) -> object:
        return None if value == "auto" else value

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> Self:
        of_levels = {*self.validation.bound_columns, *self.validation.coverage_columns}
        results = RESULT_COLUMNS | of_levels
        seen: set[str] = set()
        for path, column in self._column_roles:
            name = column.lower()  # databases and Spark take no notice of case
            if name in seen:
                raise ValueError(f"{path}: column {column!r} is used twice; each has one role")
            carried = path in ("keys", "features.static")
            if name in (results if carried else LAKE_COLUMNS):
                raise ValueError(
                    f"{path}: the platform has a column {column!r} of its own; rename yours in "
                    f"source.query, such as {column} AS my_{column}"
                )
            seen.add(name)
        return self

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        by = self.partitioning.by
        if by is not None and by not in self.keys:
            raise ValueError(f"partitioning.by: {by!r} is not one of the keys {list(self.keys)}")
        if self.candidates is None:
            return self
        if BASELINE not in self.candidates:
            raise ValueError(f"candidates: the baseline {BASELINE!r} must be one of them")
        if len(set(self.candidates)) != len(self.candidates):
            raise ValueError(f"candidates: one is named twice in {list(self.candidates)}")
        return self

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
    def columns(self) -> tuple[str, ...]:
        """Every column that the source must give."""
        return tuple(column for _, column in self._column_roles)

    @property
    def _column_roles(self) -> list[tuple[str, str]]:
        """Each column with the field of this file that names it."""
        return [
            *(("keys", name) for name in self.keys),
            ("time.column", self.time.column),
            ("target", self.target),
            *(("features.known", name) for name in self.features.known_names),
            *(("features.past", name) for name in self.features.past),
            *(("features.static", name) for name in self.features.static),
        ]

    def table(self, suffix: str) -> str:
        """Name of one of this use case's tables in the result store."""
        return f"{self.name}_{suffix}"


def as_identifier(text: str) -> str:
    """Nearest valid use case name to any text."""
    name = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")[:40]
    return name if name[:1].isalpha() else f"use_case_{name}"[:40]
