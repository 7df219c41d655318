"""Views of what runs have done: each partition's last, the ledger in short, cost, champions."""

from __future__ import annotations

from collections.abc import Sequence

from many_models.core.result_tables.comments import COMMENTS
from many_models.core.result_tables.spec import Column, Table, View
from many_models.core.use_case import AnyUseCase

_REAL = "double precision"
_COUNT = "bigint"


def run_views(use_case: AnyUseCase, tables: Sequence[Table]) -> list[View]:
    """Views of runs, of those of ``tables`` that there are."""
    by_suffix = {table.suffix: table for table in tables}
    moments = {"ledger": "trained_at", "verdicts": "trained_at", "pooled": "trained_at"}
    latest = [
        _latest_run(use_case, by_suffix[suffix], moment)
        for suffix, moment in moments.items()
        if suffix in by_suffix
    ]
    return [
        *latest,
        *(
            _latest_origin(use_case, by_suffix[suffix], question)
            for suffix, question in _OF_ORIGINS.items()
            if suffix in by_suffix
        ),
        _ledger_summary(use_case),
        _cost(use_case),
        _champion_history(use_case, by_suffix["champions"]),
        _retraining_log(use_case, by_suffix["retraining"]),
        _drift_by_partition(use_case),
    ]


def _latest_run(use_case: AnyUseCase, table: Table, moment: str) -> View:
    """Rows of each partition's last run."""
    name, view = use_case.table(table.suffix), use_case.table(f"latest_{table.suffix}")
    return View(
        f"latest_{table.suffix}",
        f"{table.grain}; of each partition's last run alone",
        _columns_of(table, "t"),
        f'FROM "{name}" t JOIN (SELECT "partition" AS p, MAX("{moment}") AS m FROM "{name}" '
        f'GROUP BY "partition") latest ON t."partition" = latest.p AND t."{moment}" = latest.m',
        "What did the last run leave of each partition?",
        f'SELECT "partition", COUNT(*) AS n FROM "{view}" GROUP BY "partition"',
    )


_OF_ORIGINS = {
    "predictions": "What is forecast now for the groups of one partition?",
    "inventory": "What is to be ordered now for the groups of one partition?",
}


def _latest_origin(use_case: AnyUseCase, table: Table, question: str) -> View:
    """Rows of the last origin."""
    name, view = use_case.table(table.suffix), use_case.table(f"latest_{table.suffix}")
    return View(
        f"latest_{table.suffix}",
        f"{table.grain}; of the last origin alone",
        _columns_of(table, ""),
        f'FROM "{name}" WHERE origin = (SELECT MAX(origin) FROM "{name}")',
        question,
        f'SELECT * FROM "{view}" WHERE "partition" = :partition',
    )


def _ledger_summary(use_case: AnyUseCase) -> View:
    name, view = use_case.table("ledger_totals"), use_case.table("ledger_summary")

    def ended(status: str) -> Column:
        count = f"CAST(SUM(CASE WHEN status = '{status}' THEN groups ELSE 0 END) AS bigint)"
        return Column(status, _COUNT, f"Groups that were {status}", count)

    scored = "CAST(SUM(scored) AS double precision)"
    by = f"by {use_case.metric}"
    return View(
        "ledger_summary",
        "One row a training run and partition",
        (
            *(_usual(column, _TYPES[column]) for column in ("run_id", "trained_at", "partition")),
            Column("groups", _COUNT, "Groups of the partition", "CAST(SUM(groups) AS bigint)"),
            *(ended(status) for status in ("trained", "skipped", "failed")),
            Column(
                *("better", _COUNT, "Groups whose model beats the baseline"),
                "CAST(SUM(better) AS bigint)",
            ),
            Column(
                *("score", _REAL, f"Mean score of the models, {by}"),
                f"SUM(score) / NULLIF({scored}, 0)",
            ),
            Column(
                *("baseline_score", _REAL, f"Mean score of the baseline for the same groups, {by}"),
                f"SUM(baseline_score) / NULLIF({scored}, 0)",
            ),
            Column("core_seconds", _REAL, "Core-seconds that training took", "SUM(core_seconds)"),
        ),
        f'FROM "{name}" GROUP BY run_id, trained_at, "partition"',
        "How did the groups of each partition end, run by run?",
        f'SELECT * FROM "{view}" ORDER BY trained_at DESC, "partition"',
    )


def _cost(use_case: AnyUseCase) -> View:
    name, view = use_case.table("ledger_totals"), use_case.table("cost")
    return View(
        "cost",
        "One row a training run, partition and candidate that won",
        (
            *(_usual(column, _TYPES[column]) for column in ("run_id", "trained_at", "partition")),
            Column("candidate", "text", "Kind of model that won; null where no model was made"),
            Column("groups", _COUNT, "Groups with it", "CAST(SUM(groups) AS bigint)"),
            Column("core_seconds", _REAL, "Core-seconds of all candidates", "SUM(core_seconds)"),
            Column("core_hours", _REAL, "The same in core-hours", "SUM(core_seconds) / 3600"),
            Column(
                *("model_bytes", _COUNT, "Size of the models, in bytes"),
                "CAST(SUM(payload_bytes) AS bigint)",
            ),
        ),
        f'FROM "{name}" GROUP BY run_id, trained_at, "partition", candidate',
        "What has training cost, by partition?",
        f'SELECT "partition", SUM(core_hours) AS core_hours FROM "{view}" GROUP BY "partition" '
        "ORDER BY 2 DESC",
    )


def _champion_history(use_case: AnyUseCase, table: Table) -> View:
    name, view = use_case.table("champions"), use_case.table("champion_history")
    before = (
        Column("replaced_candidate", "text", "Kind of model that it replaced", "b.candidate"),
        Column("replaced_score", _REAL, "Score of the model that it replaced", "b.score"),
        Column(
            *("replaced_trained_through", "timestamp"),
            *("Last time of data that the model which it replaced had seen", "b.trained_through"),
        ),
    )
    return View(
        "champion_history",
        "One row a model that is or was in production, beside the one that it replaced",
        (*_columns_of(table, "c"), *before),
        f'FROM "{name}" c LEFT JOIN "{name}" b '
        "ON b.model_name = c.model_name AND b.model_version = c.replaces",
        "Which models has one group had, and why does it have this one?",
        f'SELECT * FROM "{view}" WHERE group_key = :group_key ORDER BY model_version DESC',
    )


def _retraining_log(use_case: AnyUseCase, table: Table) -> View:
    name, view = use_case.table("retraining"), use_case.table("retraining_log")
    hours = (
        Column(
            *("estimated_core_hours", _REAL, "Core-hours that it was expected to take"),
            "estimated_core_seconds / 3600",
        ),
        Column("core_hours", _REAL, "Core-hours that it took", "core_seconds / 3600"),
        Column(
            *("promoted_share", _REAL, "Share of the models trained that became champions"),
            f"CAST(promoted AS {_REAL}) / NULLIF(trained, 0)",
        ),
    )
    return View(
        "retraining_log",
        table.grain,
        (*_columns_of(table, ""), *hours),
        f'FROM "{name}"',
        "What was retrained lately, why, and what came of it?",
        f'SELECT * FROM "{view}" ORDER BY requested_at DESC LIMIT 100',
    )


def _drift_by_partition(use_case: AnyUseCase) -> View:
    """Counts as ``steps.drift_review`` does."""
    name, view = use_case.table("drift"), use_case.table("drift_by_partition")
    least = use_case.drift.judged_min_of(use_case.frequency)
    judged = f"SUM(CASE WHEN judged >= {least} AND promised IS NOT NULL THEN 1 ELSE 0 END)"

    def flagged(flag: str, what: str) -> Column:
        return Column(flag, _COUNT, what, f"SUM(CASE WHEN {flag} THEN 1 ELSE 0 END)")

    return View(
        "drift_by_partition",
        "One row a partition with champions, as they were measured last",
        (
            _usual("partition", "text"),
            Column("groups", _COUNT, "Champions", "COUNT(*)"),
            Column("judged", _COUNT, "Champions that could be judged by their accuracy", judged),
            flagged("drifted", "Champions that do worse than promised"),
            flagged("shifted", "Champions whose data are other than those they were trained on"),
            flagged("stale", "Champions that are too old, and that no younger one was tried after"),
            Column("excess", _REAL, "What drift has cost in the window", "SUM(excess)"),
        ),
        f'FROM "{name}" GROUP BY "partition"',
        "Where have champions drifted?",
        f'SELECT * FROM "{view}" ORDER BY drifted DESC',
    )


_TYPES = {"run_id": "text", "trained_at": "timestamp", "partition": "text"}


def _usual(name: str, sql_type: str) -> Column:
    return Column(name, sql_type, COMMENTS[name])


def _columns_of(table: Table, alias: str) -> tuple[Column, ...]:
    """All columns of a table as a view shows them."""
    return tuple(
        Column(c.name, c.sql_type, c.comment, f'{alias}."{c.name}"' if alias else "")
        for c in table.columns
    )
