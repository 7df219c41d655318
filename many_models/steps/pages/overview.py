"""The overview of a use case: how many models, how good, how fresh, at what cost, and the trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from many_models.core.skill import skill_sql
from many_models.steps.pages.reader import Reader, Row, median_sql

BIN = 0.05
ORIGINS_SHOWN = 60


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
    attention: dict[str, int]


def read_overview(reader: Reader) -> Overview:
    return Overview(
        training=read_training(reader),
        champions=count_champions(reader),
        forecasts=read_forecasts(reader),
        attention=count_attention(reader),
    )


def read_training(reader: Reader, partition: str | None = None) -> Training:
    """Figures of the last training: of everything, or of one partition."""
    where, values = _where(partition)
    forecast = reader.use_case.problem == "forecast"
    value = skill_sql(reader.use_case)
    row = reader.row(
        "SELECT COUNT(*) AS n, "
        + ", ".join(
            f"SUM(CASE WHEN status = '{status}' THEN 1 ELSE 0 END) AS {status}"
            for status in ("trained", "skipped", "failed")
        )
        + ", SUM(core_seconds) AS core_seconds, MAX(trained_at) AS trained_at, "
        "MAX(last_time) AS data_through, "
        f"AVG(CASE WHEN {value} > 0 THEN 1.0 WHEN {value} IS NOT NULL THEN 0.0 END) AS better, "
        f"{'AVG(coverage)' if forecast else 'NULL'} AS coverage FROM {{latest_ledger}}{where}",
        **values,
    )
    trained = f"{{latest_ledger}} WHERE status = 'trained'{where.replace('WHERE', 'AND')}"
    median = reader.row(median_sql(value, f"{trained} AND {value} IS NOT NULL"), **values)
    return Training(
        groups=int(row.get("n") or 0),
        trained=int(row.get("trained") or 0),
        skipped=int(row.get("skipped") or 0),
        failed=int(row.get("failed") or 0),
        core_seconds=float(row.get("core_seconds") or 0),
        trained_at=as_time(row.get("trained_at")),
        data_through=as_time(row.get("data_through")),
        skill=median.get("median"),
        better=row.get("better"),
        coverage=row.get("coverage"),
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
    row = reader.row("SELECT COUNT(*) AS n FROM {drift}")
    return int(row.get("n") or 0)


def count_attention(reader: Reader) -> dict[str, int]:
    """How many groups stand under each heading of what needs attention."""
    drift = reader.row(
        "SELECT "
        + ", ".join(
            f"SUM(CASE WHEN {name} THEN 1 ELSE 0 END) AS {name}"
            for name in ("drifted", "shifted", "stale")
        )
        + " FROM {drift}"
    )
    return {name: int(count or 0) for name, count in drift.items()}


def skill_bins(reader: Reader, partition: str | None = None) -> list[tuple[float, int]]:
    """Trained groups by their skill, in steps of 0.05 from -1 to 1: where one starts, how many."""
    value = skill_sql(reader.use_case)
    where, values = _where(partition)
    place = f"CAST(FLOOR((({value}) + 1.0) / {BIN}) AS BIGINT)"
    capped = f"CASE WHEN {value} < -1.0 THEN 0 WHEN {value} >= 1.0 THEN 39 ELSE {place} END"
    rows = reader.rows(
        f"SELECT {capped} AS bin, COUNT(*) AS groups FROM {{latest_ledger}} "
        f"WHERE status = 'trained' AND {value} IS NOT NULL{where.replace('WHERE', 'AND')} "
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
        "SELECT run_id, stage, started_at, seconds, partitions, rows FROM {stages} "
        "ORDER BY started_at DESC LIMIT 20"
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
