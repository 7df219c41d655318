"""Propose: all that a use case file says, once each of its ``Choices`` has been made.

Asking is the command line's work, guessing that of ``guesses``, and the text of the file that of
``file``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from many_models.adapters.sources.probe import Roles, SourceProbe
from many_models.adapters.sources.tables import ColumnSummary
from many_models.core.frequency import Frequency
from many_models.steps.proposal import column_kinds as kinds
from many_models.steps.proposal.choices import Choices, said
from many_models.steps.proposal.guesses import count_periods

OBSERVATIONS = {"h": 168, "D": 60, "W": 30, "MS": 18, "QS": 12, "YS": 8}
STILL_GROWING = {"h": 7, "D": 7, "W": 21, "MS": 62, "QS": 186, "YS": 732}  # days since a row
ROWS_A_WINDOW_MAX = 5_000_000
PLAIN_TABLE = re.compile(r"[A-Za-z_][\w.]*")
Window = Literal["daily", "weekly", "monthly"]


@dataclass(frozen=True)
class Proposal:
    """All that the use case file says, and the figures of the table that it explains itself by.

    ``query`` is None where the plain table will do; ``end`` where rows are still added. ``rows``
    counts the table's, ``periods`` are those from its first to its last time; ``loaded_at`` is the
    column that seems to tell when a row was loaded.
    """

    choices: Choices
    url: str
    table: str
    rows: int
    groups: int
    partitions: int
    periods: int
    query: str | None
    window: Window
    start: date
    end: date | None
    folds: int
    min_observations: int
    target_at_least_zero: bool
    switches: tuple[str, ...]
    warnings: tuple[str, ...]
    loaded_at: str | None = None


def build_proposal(choices: Choices, probe: SourceProbe, *, url: str, today: date) -> Proposal:
    """Proposal of what has been said in all fields; ``url`` is what the file gives as such.

    Raises:
        SourceError: the table needs a query that this database is not known to understand.
    """
    time, keys, code = said(choices.time), said(choices.keys), said(choices.frequency)
    times, frequency = probe.times(time), Frequency(code)
    first, last = (moment.date() for moment in times[[0, -1]].tolist())
    growing = last >= today - timedelta(days=STILL_GROWING[frequency.family])
    several = _needs_rounding(times, choices, probe)
    plain = PLAIN_TABLE.fullmatch(probe.table.name) and not probe.needs_cast(time)
    query = probe.query(_roles(choices), code if several else None)
    periods, horizon = count_periods(times, code), said(choices.horizon)
    return Proposal(
        choices=choices,
        url=url,
        table=probe.table.name,
        rows=probe.table.rows,
        groups=probe.groups(keys, time),
        partitions=count_partitions(choices.partitioning, probe),
        periods=periods,
        query=query if several or not plain else None,
        window=_window(frequency, growing, several, probe.table.rows / ((last - first).days + 1)),
        start=first,
        end=None if growing else last,
        folds=max(1, min(3, (periods - max(frequency.season, 2 * horizon)) // horizon)),
        min_observations=max(2, min(OBSERVATIONS[frequency.family], periods // 2)),
        target_at_least_zero=not kinds.below_zero(probe.column(said(choices.target))),
        switches=tuple(n for n in said(choices.known) if _is_switch(probe.column(n))),
        warnings=warn_of_nulls(choices, probe),
        loaded_at=find_load_time(choices, probe),
    )


def find_load_time(choices: Choices, probe: SourceProbe) -> str | None:
    """The column that by its name and values tells best when a row was loaded."""
    found = [c.name for c in probe.table.columns if kinds.kind_of(c) == "time"]
    likely = [name for name in found if name != choices.time and kinds.load_rank(name)]
    return max(likely, key=kinds.load_rank, default=None)


def count_partitions(partitioning: str | int | None, probe: SourceProbe) -> int:
    """Partitions by the values that a key column has now, or by hash."""
    if isinstance(partitioning, int):
        return partitioning
    return probe.column(said(partitioning)).distinct


def _needs_rounding(times: NDArray[np.datetime64], choices: Choices, probe: SourceProbe) -> bool:
    """Times lie between two periods, or a group has several rows at one time."""
    frequency, time = Frequency(said(choices.frequency)), said(choices.time)
    if (frequency.to_time(frequency.to_period(times)) != times).any():
        return True
    timed = probe.table.rows - probe.column(time).nulls
    return probe.groups([*said(choices.keys), time], time) < timed


def _roles(choices: Choices) -> Roles:
    """What adds up is summed: the target where a gap is zero, and features named as amounts."""
    target, features = said(choices.target), (*said(choices.known), *said(choices.past))
    totals = {name for name in features if kinds.is_amount(name)}
    return Roles(
        keys=said(choices.keys),
        time=said(choices.time),
        numbers=(target, *features),
        static=said(choices.static),
        totals=frozenset(totals | ({target} if choices.gaps == "zero" else set())),
    )


def _window(frequency: Frequency, growing: bool, rounded: bool, rows_a_day: float) -> Window:
    """Windows as short as new rows come; long ones for a past that is read once."""
    if frequency.family in ("MS", "QS", "YS"):
        return "monthly"
    if frequency.family == "W":
        return "weekly" if growing or rounded else "monthly"
    return "daily" if growing or rows_a_day * 31 > ROWS_A_WINDOW_MAX else "monthly"


def _is_switch(column: ColumnSummary) -> bool:
    return kinds.kind_of(column) == "flag" or (column.minimum, column.distinct) in (
        ("0", 2),
        ("0.0", 2),
    )


def warn_of_nulls(choices: Choices, probe: SourceProbe) -> tuple[str, ...]:
    """What to say of rows that belong to no group, or have no time."""
    columns = [
        (name, probe.column(name).nulls) for name in (*said(choices.keys), said(choices.time))
    ]
    return tuple(
        f"{nulls:,} of {probe.table.rows:,} rows have no {name}; leave them out by a query or view"
        for name, nulls in columns
        if nulls
    )
