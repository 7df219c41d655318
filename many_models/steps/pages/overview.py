"""The overview of a use case: how many models, how good, how fresh, at what cost, and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from many_models.core.forecast.use_case import UseCase
from many_models.core.skill import skill_sql
from many_models.steps.pages.reader import Reader, Row, median_sql

BIN = 0.05
ORIGINS_SHOWN = 60
DAYS_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Training:
    """How the groups' last training ended; ``skill`` is the median's, ``better`` a share."""

    groups: int
    trained: int
    skipped: int
    failed: int
    core_seconds: float
    trained_at: datetime | None
    data_through: datetime | None
    skill: float | None
    better: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Forecasts:
    """The last origin: when it is, how many groups were served from it, and by what."""

    origin: datetime | None
    groups: int
    by_source: dict[str, int]


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the overview tells."""

    training: Training
    champions: int
    forecasts: Forecasts


def read_overview(reader: Reader) -> Overview:
    return Overview(
        training=read_training(reader),
        champions=count_champions(reader),
        forecasts=read_forecasts(reader),
    )


def read_training(reader: Reader, partition: str | None = None) -> Training:
    """Figures of the last trainings: of everything, or of one partition."""
    where, values = _where(partition)
    counted = reader.row(
        "SELECT COUNT(*) AS n, "
        + ", ".join(
            f"SUM(CASE WHEN status = '{status}' THEN 1 ELSE 0 END) AS {status}"
            for status in ("trained", "skipped", "failed")
        )
        + f", MAX(trained_at) AS trained_at, MAX(last_time) AS data_through FROM {{groups}}{where}",
        **values,
    )
    coverage = "AVG(coverage)" if reader.use_case.problem == "forecast" else "NULL"
    spent = reader.row(
        f"SELECT SUM(core_seconds) AS core_seconds, {coverage} AS coverage "
        f"FROM {{latest_ledger}}{where}",
        **values,
    )
    value = skill_sql(reader.use_case)
    known = f"{{groups}} WHERE {value} IS NOT NULL{where.replace('WHERE', 'AND')}"
    better = f"SELECT AVG(CASE WHEN {value} > 0 THEN 1.0 ELSE 0.0 END) AS better FROM {known}"
    return Training(
        **{name: int(counted[name] or 0) for name in ("trained", "skipped", "failed")},
        groups=int(counted["n"]),
        core_seconds=float(spent["core_seconds"] or 0),
        trained_at=as_time(counted["trained_at"]),
        data_through=as_time(counted["data_through"]),
        skill=reader.row(median_sql(value, known), **values)["median"],
        better=reader.row(better, **values)["better"],
        coverage=spent["coverage"],
    )


def read_forecasts(reader: Reader) -> Forecasts:
    rows = reader.rows(
        "SELECT origin, source, COUNT(*) AS n FROM {scoring} "
        "WHERE origin = (SELECT MAX(origin) FROM {scoring}) GROUP BY origin, source"
    )
    by_source = {row["source"]: int(row["n"]) for row in rows}
    return Forecasts(rows[0]["origin"] if rows else None, sum(by_source.values()), by_source)


def count_champions(reader: Reader) -> int:
    """Models of groups in production."""
    row = reader.row(
        "SELECT COUNT(*) AS n FROM {champions} WHERE is_champion AND group_key IS NOT NULL"
    )
    return int(row.get("n") or 0)


def read_pooled(reader: Reader, partition: str) -> Row:
    """The pooled model of a partition, as trained last; empty where there is none."""
    if not reader.has("latest_pooled"):
        return {}
    return reader.row('SELECT * FROM {latest_pooled} WHERE "partition" = :p', p=partition)


def skill_bins(reader: Reader, partition: str | None = None) -> list[tuple[float, int]]:
    """Trained groups by their skill, in steps of 0.05 from -1 to 1: where one starts, how many."""
    value = skill_sql(reader.use_case)
    where, values = _where(partition)
    place = f"CAST(FLOOR((({value}) + 1.0) / {BIN}) AS BIGINT)"
    capped = f"CASE WHEN {value} < -1.0 THEN 0 WHEN {value} >= 1.0 THEN 39 ELSE {place} END"
    rows = reader.rows(
        f"SELECT {capped} AS bin, COUNT(*) AS groups FROM {{groups}} "
        f"WHERE {value} IS NOT NULL{where.replace('WHERE', 'AND')} "
        "GROUP BY 1 ORDER BY 1",
        **values,
    )
    return [(round(-1 + BIN * row["bin"], 2), int(row["groups"])) for row in rows]


def sources_by_origin(reader: Reader) -> list[Row]:
    """How many groups each source has served: ``origin``, ``source``, ``groups``."""
    rows = reader.rows(
        "SELECT origin, source, COUNT(*) AS groups FROM {scoring} WHERE origin IN "
        f"(SELECT DISTINCT origin FROM {{scoring}} ORDER BY origin DESC LIMIT {ORIGINS_SHOWN}) "
        "GROUP BY origin, source ORDER BY origin"
    )
    return rows


def runs(reader: Reader) -> Sequence[Row]:
    """What the last runs took: ``stage``, ``started_at``, ``seconds``, ``rows``, ``partitions``."""
    return reader.rows(
        'SELECT run_id, stage, started_at, seconds, partitions, "rows" FROM {stages} '
        "ORDER BY started_at DESC LIMIT 20"
    )


def totals_by_day(reader: Reader) -> list[Row]:
    """All groups together, by day: what was forecast last of it, and what happened.

    ``time``, ``what`` (actual or forecast) and ``value``; none of classes.
    """
    if not isinstance(reader.use_case, UseCase):
        return []
    days = reader.rows(
        'SELECT t."date" AS "time", SUM(actual) AS actual, SUM(actual + deviation) AS forecast '
        'FROM {accuracy_totals} t JOIN (SELECT "date" AS d, MAX(origin) AS o '
        'FROM {accuracy_totals} GROUP BY "date") latest ON t."date" = d AND origin = o '
        f'GROUP BY t."date" ORDER BY 1 DESC LIMIT {DAYS_SHOWN}'
    )
    ahead = reader.rows(
        'SELECT "time", SUM(prediction) AS forecast FROM {prediction_totals} WHERE origin = '
        '(SELECT MAX(origin) FROM {prediction_totals}) GROUP BY "time" ORDER BY "time"'
    )
    past = {str(row["time"])[:10] for row in days}
    known = [*reversed(days), *(row for row in ahead if str(row["time"])[:10] not in past)]
    return [
        {"time": str(row["time"]).replace(" ", "T"), "what": what, "value": row[what]}
        for row in known
        for what in ("actual", "forecast")
        if row.get(what) is not None
    ]


def accuracy_by_day(reader: Reader) -> list[Row]:
    """How far off predictions were: ``time``, ``source`` and ``value``.

    The value is WAPE where the target is a number, else the share that was right.
    """
    figure = "wape" if reader.use_case.target_is_number else "accuracy"
    return reader.rows(
        f'SELECT "date" AS "time", source, {figure} AS value FROM {{accuracy_by_date}} '
        'WHERE "date" IN (SELECT DISTINCT "date" FROM {accuracy_totals} '
        f'ORDER BY "date" DESC LIMIT {DAYS_SHOWN}) ORDER BY "date"'
    )


def as_time(value: object) -> datetime | None:
    """A moment as the store gives it: SQLite computes texts."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def _where(partition: str | None) -> tuple[str, dict[str, object]]:
    if partition is None:
        return "", {}
    return ' WHERE "partition" = :partition', {"partition": partition}
