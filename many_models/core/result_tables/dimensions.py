"""The dimensions: groups, dates and champions, which facts are joined to.

``groups`` follows from the ledger and the scoring ledger. ``dates`` and ``champions`` are written
by steps: the calendar is nobody's rows, and champions are the production registry's.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow as pa

from many_models.core.result_tables.comments import describe
from many_models.core.result_tables.fact_schemas import ledger_schema
from many_models.core.result_tables.spec import SLICE, Column, Derivation, Table, names
from many_models.core.use_case import AnyUseCase

SATURDAY = 6

_LATEST = "latest"
_OF_TRAINING = (
    *("first_time", "last_time", "observations", "status", "reason", "candidate"),
    *("score", "baseline_score", "model_name", "model_version", "run_id", "trained_at"),
)


def dimension_tables(use_case: AnyUseCase) -> list[Table]:
    """Tables that facts are joined to."""
    return [_groups(use_case), _dates(), _champions(use_case)]


def _groups(use_case: AnyUseCase) -> Table:
    ledger = ledger_schema(use_case)
    kept = ("group_key", "partition", *use_case.keys, *use_case.static_columns, *_OF_TRAINING)
    schema = pa.schema([ledger.field(name) for name in kept])
    columns = describe(use_case, "groups", schema)
    return Table(
        "groups",
        "One row a group that was ever trained or predicted, with how its last training ended",
        columns,
        key=("group_key",),
        indexes=(("partition",),),
        unique=True,
        derivations=(_from_ledger(use_case, columns), _from_scoring(use_case)),
    )


def _from_ledger(use_case: AnyUseCase, columns: tuple[Column, ...]) -> Derivation:
    """The groups just trained as the last of all their trainings has left them.

    When that was is looked up for each group, so that older trainings are not read again.
    """
    groups, ledger = use_case.table("groups"), use_case.table("ledger")
    trained = f'SELECT DISTINCT group_key FROM "{ledger}" WHERE {SLICE}'
    last = f'SELECT MAX(trained_at) FROM "{ledger}" a WHERE a.group_key = k.group_key'
    told = ", ".join(f'l."{column.name}"' for column in columns)
    return Derivation(
        "ledger",
        (
            f'DELETE FROM "{groups}" WHERE group_key IN ({trained})',
            f'INSERT INTO "{groups}" ({names(columns)}) SELECT {names(columns)} FROM '
            f"(SELECT {told}, ROW_NUMBER() OVER (PARTITION BY l.group_key ORDER BY l.run_id DESC) "
            f"AS place FROM (SELECT k.group_key, ({last}) AS moment FROM ({trained}) k) m "
            f'JOIN "{ledger}" l ON l.group_key = m.group_key AND l.trained_at = m.moment) '
            f"{_LATEST} WHERE place = 1",
        ),
    )


def _from_scoring(use_case: AnyUseCase) -> Derivation:
    """Groups that were predicted and never trained yet."""
    groups, scoring = use_case.table("groups"), use_case.table("scoring")
    known = ", ".join(f'"{name}"' for name in ("group_key", "partition", *use_case.keys))
    return Derivation(
        "scoring",
        (
            f'INSERT INTO "{groups}" ({known}) SELECT {known} FROM '
            f"(SELECT {known}, ROW_NUMBER() OVER (PARTITION BY group_key ORDER BY origin DESC) "
            f'AS place FROM "{scoring}" WHERE {SLICE} AND group_key IS NOT NULL) {_LATEST} '
            f'WHERE place = 1 AND group_key NOT IN (SELECT group_key FROM "{groups}")',
        ),
    )


def _dates() -> Table:
    columns = (
        Column("date", "date", "The day; times of facts on it are joined to it by their date"),
        Column("year", "bigint", "Year"),
        Column("quarter", "bigint", "Quarter of the year, 1 to 4"),
        Column("month", "bigint", "Month of the year, 1 to 12"),
        Column("day", "bigint", "Day of the month, from 1"),
        Column("days_in_month", "bigint", "Days that the month has"),
        Column("iso_year", "bigint", "Year that the week belongs to, by ISO 8601"),
        Column("iso_week", "bigint", "Week of the ISO year, from 1"),
        Column("weekday", "bigint", "Day of the week: 1 is Monday, 7 is Sunday"),
        Column("weekday_name", "text", "Name of the day of the week, in English"),
        Column("month_name", "text", "Name of the month, in English"),
        Column("is_weekend", "boolean", "Whether it is a Saturday or a Sunday"),
    )
    grain = "One row a day, without gaps, in all years that the data or predictions reach"
    return Table("dates", grain, columns, ("date",), (("year",),), unique=True)


def calendar_rows(years: Iterable[int]) -> pa.Table:
    """Rows of table ``dates`` of these years, whole years each."""
    days = [date(y, 1, 1) + timedelta(n) for y in years for n in range(_days_in(y))]
    return pa.Table.from_pylist([_day(day) for day in days], schema=_dates().schema)


def _days_in(year: int) -> int:
    return date(year, 12, 31).timetuple().tm_yday


def _day(day: date) -> dict[str, object]:
    return {
        "date": day,
        "year": day.year,
        "quarter": (day.month + 2) // 3,
        "month": day.month,
        "day": day.day,
        "days_in_month": monthrange(day.year, day.month)[1],
        "iso_year": day.isocalendar().year,
        "iso_week": day.isocalendar().week,
        "weekday": day.isoweekday(),
        "weekday_name": f"{day:%A}",
        "month_name": f"{day:%B}",
        "is_weekend": day.isoweekday() >= SATURDAY,
    }


def _champions(use_case: AnyUseCase) -> Table:
    keys = [
        Column(name, "text", f"Key column {name}; null of a pooled model") for name in use_case.keys
    ]
    better = "higher" if use_case.higher_is_better else "lower"
    columns = (
        Column("partition", "text", "Partition that the model was promoted in"),
        Column("group_key", "text", "Composite key of the group; null of a pooled model"),
        *keys,
        Column("model_name", "text", "Name of the registered model in the production registry"),
        Column("model_version", "bigint", "Version in the production registry"),
        Column("candidate", "text", "Kind of model"),
        Column("metric", "text", f"What score and baseline_score are; {better} is better"),
        Column("score", "double precision", "Error or score of the model where it was judged"),
        Column("baseline_score", "double precision", "The same of the baseline on the same data"),
        Column("trained_through", "timestamp", "Last time of data that the model has seen"),
        Column("run_id", "text", "Dagster run that trained the model"),
        Column("promoted_at", "timestamp", "When it became champion, in UTC"),
        Column("promoted_by", "text", "Dagster run that promoted it"),
        Column("replaces", "bigint", "Version that was champion before; null where there was none"),
        Column("is_champion", "boolean", "Whether it is the champion, which predicts now"),
        Column("ended_at", "timestamp", "When it gave way, in UTC; null while it is champion"),
        Column(
            "rolled_back_at", "timestamp", "When it was rolled back, in UTC; null if it was not"
        ),
        Column("rolled_back_by", "text", "Who rolled it back"),
        Column("rollback_reason", "text", "Why it was rolled back"),
        Column("rolled_back_to", "bigint", "Version that came in its place; null for the baseline"),
    )
    grain = "One row a model that is or was in production; a copy of the production registry"
    indexes = (("partition",), ("group_key",))
    return Table("champions", grain, columns, ("model_name", "model_version"), indexes, unique=True)
