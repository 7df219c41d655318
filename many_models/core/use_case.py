"""What every use case has, whatever its problem: source, group keys, target, rules.

Here belong the parts of the file that all shapes share, and the rules about their columns. What a
forecast adds is in ``use_case``, what regression and classification add in ``tabular.use_case``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Set
from datetime import date, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from many_models.core.drift_rules import DriftRules
from many_models.core.frequency import Frequency
from many_models.core.prediction_rules import PredictionRules
from many_models.core.reserved_columns import LAKE_COLUMNS, RESULT_COLUMNS
from many_models.core.retraining_rules import RetrainingRules
from many_models.core.schedules import Schedules
from many_models.core.section import Section

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]
UseCaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ProblemName = Literal["forecast", "regression", "classification"]


class Source(Section):
    """Where the data comes from.

    ``query`` is a SELECT with the bound parameters ``:window_start`` and ``:window_end`` (half
    open); ``table`` is short for the plain query of one table.

    ``loaded_at`` is the column that tells when a row was loaded: one of ``table``, or one that
    ``query`` returns. With a query, ``changes`` is the quicker way: a SELECT of the use case's time
    and of ``loaded_at``, of the rows loaded at or after the bound parameter ``:since``.
    """

    url: str = Field(
        min_length=1, description="database URL; ${NAME} is taken from the environment"
    )
    query: str | None = None
    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*$")] | None = None
    window: Literal["daily", "weekly", "monthly"] = "daily"
    start: date
    end: date | None = Field(default=None, description="last day of the data; open when absent")
    loaded_at: Identifier | None = None
    changes: str | None = None
    loaded_within: Annotated[str, StringConstraints(pattern=r"^\d{1,4} ?(minutes|hours)$")] = Field(
        default="60 minutes",
        description="until a row is visible, from loaded_at on",
    )
    expected_within_hours: Annotated[float, Field(gt=0)] | None = Field(
        default=24.0,
        description="of a period's end its data is in the lake, or late; null: never",
    )

    @property
    def url_shown(self) -> str:
        """What may be written where others read it: the kind of database, as ``postgresql://``."""
        return self.url.partition("://")[0] + "://"

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

    @model_validator(mode="after")
    def _one_way_to_watch(self) -> Self:
        if self.changes is not None:
            if self.table is not None:
                raise ValueError("changes is for a query; with a table, loaded_at says it all")
            if ":since" not in self.changes:
                raise ValueError("changes lacks :since: it must select what was loaded since then")
        return self

    @property
    def watched(self) -> bool:
        """Whether the source tells when rows were loaded."""
        return self.loaded_at is not None or self.changes is not None

    @property
    def load_column(self) -> str:
        """The column that tells when a row was loaded."""
        return self.loaded_at or "loaded_at"

    @property
    def overlap(self) -> timedelta:
        """``loaded_within`` as a duration."""
        unit = "minutes" if self.loaded_within.endswith("minutes") else "hours"
        return timedelta(**{unit: int(self.loaded_within.removesuffix(unit))})

    @property
    def digest_text(self) -> str:
        """What the rows depend on; how the source is watched is no part of it."""
        watched = {"loaded_at", "changes", "loaded_within", "expected_within_hours"}
        return self.model_dump_json(exclude=watched)


class Partitioning(Section):
    """Dagster's partitions: a key column's values (``by``), or hash buckets (``hash``)."""

    by: Identifier | None = None
    hash: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _one_way_to_split(self) -> Self:
        if (self.by is None) == (self.hash is None):
            raise ValueError("give either by (a key column) or hash (a number of buckets)")
        return self


class RowTime(Section):
    """The column that tells when a row happened."""

    column: Identifier


class PromotionRules(Section):
    """The business rules; a model qualifies when all that are given hold.

    Shares and margins are fractions: ``beat_baseline_by: 0.05`` asks for a score at least 5% lower,
    or 5% higher where higher scores are better; ``min_score`` is for those.
    """

    max_score: Annotated[float, Field(gt=0)] | None = None
    min_score: float | None = None
    beat_baseline_by: Annotated[float, Field(ge=0, lt=1)] = 0.0
    beat_champion_by: Annotated[float, Field(ge=0, lt=1)] = 0.0
    min_coverage: Annotated[float, Field(ge=0, le=1)] | None = None
    min_share: Annotated[float, Field(ge=0, le=1)] = 0.0


class AnyUseCase(Section, ABC):
    """A use case of any shape: what extracting, grouping, registering and storing need to know."""

    name: UseCaseName
    description: str = ""
    problem: ProblemName
    source: Source
    keys: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=8)]
    partitioning: Partitioning
    time: RowTime
    target: Identifier
    core_minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="what a run may spend on training; groups whose turn comes later are skipped",
    )
    promotion: PromotionRules = PromotionRules()
    drift: DriftRules = DriftRules()
    retraining: RetrainingRules = RetrainingRules()
    schedules: Schedules = Schedules()
    predictions: PredictionRules = PredictionRules()

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> Self:
        seen: set[str] = set()
        for path, column in self.column_roles:
            name = column.lower()  # databases and Spark take no notice of case
            if name in seen:
                raise ValueError(f"{path}: column {column!r} is used twice; each has one role")
            carried = column in (*self.keys, *self.static_columns, *self.row_id_columns)
            if name in (self.result_columns if carried else LAKE_COLUMNS):
                raise ValueError(
                    f"{path}: the platform has a column {column!r} of its own; rename yours in "
                    f"source.query, such as {column} AS my_{column}"
                )
            seen.add(name)
        return self

    @model_validator(mode="after")
    def _watched_by_load(self) -> Self:
        if self.source.loaded_at == self.time.column:
            raise ValueError(
                f"source.loaded_at: {self.time.column!r} is time.column, when a row happened; name "
                "the column that tells when it was loaded, or rows that come late are never seen"
            )
        return self

    @model_validator(mode="after")
    def _partitioned_by_a_key(self) -> Self:
        by = self.partitioning.by
        if by is not None and by not in self.keys:
            raise ValueError(f"partitioning.by: {by!r} is not one of the keys {list(self.keys)}")
        return self

    @property
    @abstractmethod
    def frequency(self) -> Frequency:
        """Length of the periods by which data is over, and by which predictions are made."""

    @property
    @abstractmethod
    def periods_ahead(self) -> int:
        """Periods after an origin that are predicted."""

    @property
    @abstractmethod
    def planned_periods(self) -> int:
        """Periods ahead of which the source may hold rows without a target."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """The metric that candidates are chosen and judged by."""

    @property
    @abstractmethod
    def higher_is_better(self) -> bool:
        """Whether a higher score by ``metric`` is the better one."""

    @property
    @abstractmethod
    def baseline(self) -> str:
        """Name of the candidate that every other must beat."""

    @property
    @abstractmethod
    def candidate_names(self) -> tuple[str, ...]:
        """Names of the candidates; none where each group gets its own."""

    @property
    @abstractmethod
    def numeric_columns(self) -> tuple[str, ...]:
        """Columns that hold numbers, the target among them where it is one."""

    @property
    @abstractmethod
    def text_columns(self) -> tuple[str, ...]:
        """Columns beside the keys that hold text."""

    @property
    @abstractmethod
    def column_roles(self) -> list[tuple[str, str]]:
        """Each column with the field of this file that names it, keys and time first."""

    @property
    def result_columns(self) -> Set[str]:
        """Columns of the result tables, in lower case, that no column carried there may be."""
        return RESULT_COLUMNS

    @property
    def static_columns(self) -> tuple[str, ...]:
        """Columns with one value a group, which its model and its ledger rows carry."""
        return ()

    @property
    def row_id_columns(self) -> tuple[str, ...]:
        """Columns that, with keys and time, tell one row from another."""
        return ()

    @property
    def unknown_ahead(self) -> tuple[str, ...]:
        """Columns that are known only when a period is over."""
        return (self.target,)

    @property
    def target_is_number(self) -> bool:
        return self.target in self.numeric_columns

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the source must give."""
        return tuple(column for _, column in self.column_roles)

    def table(self, suffix: str) -> str:
        """Name of one of this use case's tables in the result store."""
        return f"{self.name}_{suffix}"
