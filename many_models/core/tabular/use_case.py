"""The use case of a regression or a classification: what its file may hold.

A row is known by its keys, its time and ``row_id``; it is predicted from its own features alone.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from many_models.core.frequency import Frequency
from many_models.core.named_estimator import NamedEstimator, check_names
from many_models.core.section import Section
from many_models.core.tabular.estimators import (
    BASELINES,
    Encoding,
    built_in_names,
    check_estimator,
)
from many_models.core.tabular.metrics import HIGHER_IS_BETTER, METRICS_OF
from many_models.core.use_case import AnyUseCase, Identifier


class TabularFeatures(Section):
    """Columns that a row is predicted from, each known before its target is; null is allowed."""

    numeric: tuple[Identifier, ...] = ()
    categorical: tuple[Identifier, ...] = ()

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> Self:
        if not self.numeric and not self.categorical:
            raise ValueError("name at least one numeric or categorical column")
        return self


class TabularCandidate(NamedEstimator):
    """An estimator: one that comes with the platform, or anything's dotted path.

    ``encoding`` says how it gets its columns: ``one_hot`` (categories as columns, numbers imputed
    and scaled), ``ordinal`` (categories as codes, NaN where missing) or ``none`` (the frame as it
    is, for a Pipeline of your own).
    """

    encoding: Encoding | None = None


class Holdout(Section):
    """The rows that candidates are judged on, and do not learn from.

    By ``time``: each group's last ``share`` of rows, or all ``from`` a date on; ``stratified``: a
    ``share`` of each class, drawn with ``seed``; ``random``: of all rows.
    """

    model_config = ConfigDict(populate_by_name=True)

    by: Literal["time", "stratified", "random"] = "time"
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    start: date | None = Field(default=None, alias="from")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _a_date_is_a_time(self) -> Self:
        if self.start is not None and self.by != "time":
            raise ValueError(f"from: a holdout by {self.by} has a share, not a date")
        return self


class TabularValidation(Section):
    """How candidates are judged; ``positive_class`` is the one that F1 is about (else: all)."""

    metric: str = ""
    holdout: Holdout = Holdout()
    min_rows: Annotated[int, Field(ge=4)] = 50
    positive_class: str | None = None


class TabularUseCase(AnyUseCase):
    """Independent rows with features and a target: a number, or a class given as text."""

    problem: Literal["regression", "classification"]
    row_id: Identifier
    features: TabularFeatures
    candidates: Annotated[tuple[TabularCandidate, ...], Field(min_length=1)] = Field(
        default=(), validate_default=False
    )
    validation: TabularValidation = TabularValidation()
    days_ahead: Annotated[int, Field(ge=1, le=366)] = Field(
        default=1, description="days after an origin whose rows are predicted"
    )

    @field_validator("candidates", mode="before")
    @classmethod
    def _auto_is_the_default(cls, value: object) -> object:
        return () if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_problem(cls, value: object) -> object:
        problem = value.get("problem") if isinstance(value, dict) else None
        if not isinstance(value, dict) or problem not in ("regression", "classification"):
            return value
        given = dict(value)
        if given.get("candidates") in (None, "auto"):
            given["candidates"] = list(built_in_names(problem))
        validation = given.get("validation") or {}
        if isinstance(validation, dict):
            given["validation"] = {"metric": METRICS_OF[problem][0], **validation}
        return given

    @model_validator(mode="after")
    def _candidates_can_be_made(self) -> Self:
        check_names(self.candidates, self.baseline)
        for place, candidate in enumerate(self.candidates):
            try:
                check_estimator(
                    candidate.estimator, candidate.parameters, self.problem, candidate.encoding
                )
            except ValueError as error:
                raise ValueError(f"candidates.{place}.estimator: {error}") from error
        return self

    @model_validator(mode="after")
    def _rules_fit_the_problem(self) -> Self:
        allowed = METRICS_OF[self.problem]
        if self.metric not in allowed:
            raise ValueError(
                f"validation.metric: {self.metric!r} is none of {', '.join(allowed)}, the metrics "
                f"of a {self.problem}"
            )
        if self.problem == "regression":
            if self.validation.positive_class is not None:
                raise ValueError("validation.positive_class: a regression has no classes")
            if self.validation.holdout.by == "stratified":
                raise ValueError("validation.holdout.by: a regression has no classes; use random")
        if self.promotion.min_coverage is not None:
            raise ValueError("promotion.min_coverage: only forecasts have intervals")
        unfit = "max_score" if self.higher_is_better else "min_score"
        if getattr(self.promotion, unfit) is not None:
            side = "higher" if self.higher_is_better else "lower"
            right = "min_score" if self.higher_is_better else "max_score"
            raise ValueError(f"promotion.{unfit}: {self.metric} is better {side}; give {right}")
        if (least := self.promotion.min_score) is not None and least > 1:
            raise ValueError(f"promotion.min_score: {least:g} is above 1, the best {self.metric}")
        return self

    @model_validator(mode="after")
    def _holdout_divides_the_data(self) -> Self:
        start, first, last = self.validation.holdout.start, self.source.start, self.source.end
        if start is not None and start <= first:
            raise ValueError(
                f"validation.holdout.from: {start} leaves nothing to learn from, as the data "
                f"begin on {first} (source.start); give a later day, or a share"
            )
        if start is not None and last is not None and start > last:
            raise ValueError(
                f"validation.holdout.from: {start} holds nothing out, as the data end on {last} "
                "(source.end); give an earlier day, or a share"
            )
        return self

    @property
    def frequency(self) -> Frequency:
        """Days: rows have any time, but are over, and predicted, by the day."""
        return Frequency("D")

    @property
    def periods_ahead(self) -> int:
        return self.days_ahead

    @property
    def planned_periods(self) -> int:
        return self.days_ahead

    @property
    def metric(self) -> str:
        return self.validation.metric

    @property
    def higher_is_better(self) -> bool:
        return self.metric in HIGHER_IS_BETTER

    @property
    def baseline(self) -> str:
        return BASELINES[self.problem]

    @property
    def candidate_names(self) -> tuple[str, ...]:
        return tuple(candidate.name for candidate in self.candidates)

    @property
    def numeric_columns(self) -> tuple[str, ...]:
        target = (self.target,) if self.problem == "regression" else ()
        return (*target, *self.features.numeric)

    @property
    def text_columns(self) -> tuple[str, ...]:
        target = (self.target,) if self.problem == "classification" else ()
        return (*target, self.row_id, *self.features.categorical)

    @property
    def row_id_columns(self) -> tuple[str, ...]:
        return (self.row_id,)

    @property
    def column_roles(self) -> list[tuple[str, str]]:
        return [
            *(("keys", name) for name in self.keys),
            ("time.column", self.time.column),
            ("row_id", self.row_id),
            ("target", self.target),
            *(("features.numeric", name) for name in self.features.numeric),
            *(("features.categorical", name) for name in self.features.categorical),
        ]
