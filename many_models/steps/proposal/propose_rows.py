"""Propose: all that the use case file of a regression or a classification says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from many_models.adapters.sources.probe import Roles, SourceProbe
from many_models.steps.proposal.choices import Choices, said
from many_models.steps.proposal.propose import (
    PLAIN_TABLE,
    ROWS_A_WINDOW_MAX,
    STILL_GROWING,
    Window,
    count_partitions,
    find_load_time,
    warn_of_nulls,
)


@dataclass(frozen=True)
class RowProposal:
    """All that the use case file says of independent rows; fields as in ``Proposal``."""

    choices: Choices
    url: str
    table: str
    rows: int
    groups: int
    partitions: int
    query: str | None
    window: Window
    start: date
    end: date | None
    warnings: tuple[str, ...]
    loaded_at: str | None = None


def build_row_proposal(
    choices: Choices, probe: SourceProbe, *, url: str, today: date
) -> RowProposal:
    """Proposal of what has been said in all fields; ``url`` is what the file gives as such."""
    time, keys, row_id = said(choices.time), said(choices.keys), said(choices.row_id)
    first, last = (moment.date() for moment in probe.times(time)[[0, -1]].tolist())
    growing = last >= today - timedelta(days=STILL_GROWING["D"])
    rows_a_day = probe.table.rows / ((last - first).days + 1)
    plain = PLAIN_TABLE.fullmatch(probe.table.name) and not probe.needs_cast(time)
    return RowProposal(
        choices=choices,
        url=url,
        table=probe.table.name,
        rows=probe.table.rows,
        groups=probe.groups(keys, time),
        partitions=count_partitions(choices.partitioning, probe),
        query=None if plain else probe.query(_roles(choices), None),
        window="daily" if growing or rows_a_day * 31 > ROWS_A_WINDOW_MAX else "monthly",
        start=first,
        end=None if growing else last,
        warnings=(
            *warn_of_nulls(choices, probe),
            *_warn_of_twins(choices, row_id, probe),
            _warn_of_hindsight(choices),
        ),
        loaded_at=find_load_time(choices, probe),
    )


def _roles(choices: Choices) -> Roles:
    return Roles(
        keys=said(choices.keys),
        time=said(choices.time),
        numbers=(said(choices.target), *said(choices.numeric)),
        static=(said(choices.row_id), *said(choices.categorical)),
    )


def _warn_of_hindsight(choices: Choices) -> str:
    names = ", ".join((*said(choices.numeric), *said(choices.categorical)))
    return (
        f"no table shows what is known beforehand. Take out of the file those of the features "
        f"({names}) that are known only when {choices.target} is: models would look too good"
    )


def _warn_of_twins(choices: Choices, row_id: str, probe: SourceProbe) -> tuple[str, ...]:
    time = said(choices.time)
    rows = probe.table.rows - probe.column(time).nulls
    twins = rows - probe.groups([*said(choices.keys), time, row_id], time)
    if not twins:
        return ()
    return (
        f"{twins:,} of {rows:,} rows share their keys, {time} and {row_id} with another; groups "
        "that have such rows fail. Give another --row-id, or make a view",
    )
