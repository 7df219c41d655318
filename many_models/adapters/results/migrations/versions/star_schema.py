"""A star schema: the dimension of groups and the totals of accuracy, filled from the old rows.

No row that was there is touched. What follows from a use case's YAML file (views, comments, the
calendar) is made when the use case is opened next. Frozen: it speaks of the schema of its day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alembic import context, op

revision = "0002"
down_revision = "0001"

Columns = Mapping[str, str]
"""Columns of a table, in their order, with their SQL types."""

_OF_GROUPS = {
    "group_key": "text",
    "partition": "text",
    "first_time": "timestamp",
    "last_time": "timestamp",
    "observations": "bigint",
    "status": "text",
    "reason": "text",
    "candidate": "text",
    "score": "double precision",
    "baseline_score": "double precision",
    "model_name": "text",
    "model_version": "bigint",
    "run_id": "text",
    "trained_at": "timestamp",
}


def upgrade() -> None:
    """Fill what is new of every use case that the store has tables of."""
    tables: Mapping[str, Columns] = context.config.attributes["tables"]
    for name, columns in tables.items():
        if name.endswith("_ledger") and {"group_key", "status", "trained_at"} <= columns.keys():
            use_case = name.removesuffix("_ledger")
            _make_groups(use_case, columns, tables.get(f"{use_case}_scoring", {}))
        if name.endswith("_accuracy") and {"origin", "source", "periods_ahead"} <= columns.keys():
            _make_totals(name.removesuffix("_accuracy"), columns)


def _make_groups(use_case: str, ledger: Columns, scoring: Columns) -> None:
    """Each group as its last training has left it, and those that were predicted alone."""
    names = list(ledger)
    own = names[names.index("group_key") + 1 : names.index("status")]  # keys, static features
    kept = ["group_key", "partition", *own, *list(_OF_GROUPS)[2:]]
    defined = ", ".join(f'"{name}" {_OF_GROUPS.get(name, "text")}' for name in kept)
    groups, listed = f'"{use_case}_groups"', _list(kept)
    op.execute(f"CREATE TABLE {groups} ({defined})")
    op.execute(
        f"INSERT INTO {groups} ({listed}) SELECT {listed} FROM (SELECT {listed}, "
        "ROW_NUMBER() OVER (PARTITION BY group_key ORDER BY trained_at DESC, run_id DESC) AS place "
        f'FROM "{use_case}_ledger" WHERE group_key IS NOT NULL) latest WHERE place = 1'
    )
    if "origin" in scoring:
        told = _list(["group_key", "partition", *(name for name in own if name in scoring)])
        op.execute(
            f"INSERT INTO {groups} ({told}) SELECT {told} FROM (SELECT {told}, "
            "ROW_NUMBER() OVER (PARTITION BY group_key ORDER BY origin DESC) AS place "
            f'FROM "{use_case}_scoring" WHERE group_key IS NOT NULL) latest '
            f"WHERE place = 1 AND group_key NOT IN (SELECT group_key FROM {groups})"
        )


def _make_totals(use_case: str, accuracy: Columns) -> None:
    """Sums of accuracy by group and by day."""
    names = list(accuracy)
    keys = names[names.index("group_key") + 1 : names.index("origin")]
    sums = _sums(accuracy)
    by_group = {
        **{name: (f'"{name}"', accuracy[name]) for name in ("origin", "partition", "group_key")},
        **{name: (f'"{name}"', "text") for name in keys},
        "source": ("source", "text"),
    }
    by_day = {
        "origin": ("origin", accuracy["origin"]),
        "partition": ('"partition"', "text"),
        "periods_ahead": ("periods_ahead", "bigint"),
        "source": ("source", "text"),
        "date": ('date("time")', "date"),
    }
    overall = {name: column for name, column in by_day.items() if name != "partition"}
    for suffix, by in (("group_totals", by_group), ("day_totals", by_day), ("totals", overall)):
        table = f'"{use_case}_accuracy_{suffix}"'
        columns = {**by, **sums}
        defined = ", ".join(f'"{name}" {kind}' for name, (_, kind) in columns.items())
        shown = ", ".join(expression for expression, _ in columns.values())
        grouped = ", ".join(expression for expression, _ in by.values())
        op.execute(f"CREATE TABLE {table} ({defined})")
        op.execute(
            f"INSERT INTO {table} ({_list(list(columns))}) SELECT {shown} "
            f'FROM "{use_case}_accuracy" GROUP BY {grouped}'
        )


def _sums(accuracy: Columns) -> dict[str, tuple[str, str]]:
    """Sums with their types, by column."""
    sums = {"n": ("COUNT(*)", "bigint")}
    if "hit" in accuracy:
        return {**sums, "hits": ("SUM(hit)", "bigint")}
    for name, expression in {
        "absolute_error": "SUM(ABS(deviation))",
        "deviation": "SUM(deviation)",
        "actual": "SUM(actual)",
        "absolute_actual": "SUM(ABS(actual))",
    }.items():
        sums[name] = expression, "double precision"
    if "covered" in accuracy:
        sums |= {
            "covered": ("SUM(covered)", "bigint"),
            "intervals": ("COUNT(covered)", "bigint"),
        }
    return sums


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
