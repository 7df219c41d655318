"""How candidates are judged: the part ``validation`` of a use case, and the columns it asks for.

Here belong the levels of prediction intervals and their columns' names. Making intervals does not:
see ``intervals``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from many_models.core.section import Section

MetricName = Literal["mase", "rmsse", "wape", "smape", "mae", "rmse", "pinball"]
Level = Annotated[float, Field(gt=0, lt=1)]


class Validation(Section):
    """How candidates are judged: a rolling-origin backtest of ``folds`` origins."""

    metric: MetricName = "mase"
    folds: Annotated[int, Field(ge=1, le=52)] = 3
    step: Annotated[int, Field(ge=1)] | None = Field(default=None, description="default: horizon")
    min_observations: Annotated[int, Field(ge=2)] = 30
    interval: Level = Field(default=0.9, description="level of the columns lower and upper")
    levels: tuple[Level, ...] = Field(
        default=(), description="further levels: 0.8 gives the columns lower_80 and upper_80"
    )

    @model_validator(mode="after")
    def _levels_are_distinct(self) -> Self:
        seen = {level_name(self.interval): "interval"}
        for level in self.levels:
            name = level_name(level)
            if name in seen:
                raise ValueError(f"levels: {level:g} is there already, as {seen[name]}; leave one")
            seen[name] = "one of the levels"
        return self

    @model_validator(mode="after")
    def _pinball_takes_two_folds(self) -> Self:
        if self.metric == "pinball" and self.folds < 2:
            raise ValueError("metric: pinball judges a fold by the others; give 2 folds or more")
        return self

    @property
    def all_levels(self) -> tuple[float, ...]:
        """The main level, ``interval``, and the further ones."""
        return (self.interval, *self.levels)

    @property
    def bound_columns(self) -> tuple[str, ...]:
        """Columns of a forecast's bounds: lower and upper of each of ``all_levels``."""
        return bound_columns(self.levels)

    @property
    def coverage_columns(self) -> tuple[str, ...]:
        """Columns of the ledger for the share that is covered, at each of ``all_levels``."""
        return ("coverage", *(f"coverage_{level_name(level)}" for level in self.levels))


def bound_columns(levels: tuple[float, ...]) -> tuple[str, ...]:
    """``lower`` and ``upper``, and the same with the name of each of the further ``levels``."""
    names = ["", *(f"_{level_name(level)}" for level in levels)]
    return tuple(f"{bound}{name}" for name in names for bound in ("lower", "upper"))


def level_name(level: float) -> str:
    """A level in percent, as it may stand in a column's name: 80 for 0.8, 97_5 for 0.975."""
    return f"{100 * level:g}".replace(".", "_")
